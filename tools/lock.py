"""Write requirements.lock: the exact versions that the project's environment holds now.

Versions only: where they come from is the machine's own pip configuration. The environment may hold
more than pyproject.toml asks for; a pin that nobody needs constrains nothing."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADER = """\
# Exact versions, used as constraints by `make setup`. Renewed by `make lock`, never by hand.
"""


def main() -> int:
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "list", "--format=freeze", "--exclude-editable"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    pins = sorted({line for line in listed.splitlines() if "==" in line}, key=str.lower)
    (ROOT / "requirements.lock").write_text(HEADER + "\n".join(pins) + "\n")
    print(f"requirements.lock: {len(pins)} versions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
