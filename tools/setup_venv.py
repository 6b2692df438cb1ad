"""Make the project's environment: `.venv` with the versions of requirements.lock and readystate
itself, editable. Standard library only, because it runs before anything is installed.

Done work is remembered in a stamp (a digest of what it rests on), so a second call costs nothing.
Debian splits `venv` and pip from Python: where they are missing this installs them (root), or
borrows a pip that is already there, or fetches one, or says what a person has to type."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".readystate-setup"
LOCK = ROOT / "requirements.lock"
OLDEST = (3, 11)
DEFAULT_INDEX = "https://pypi.org/simple"  # pip's own default; only for fetching pip itself


class SetupFailed(Exception):
    """What went wrong and what to type; shown without a traceback."""


def wanted_digest() -> str:
    """What the environment rests on; a change of any of it sets up again."""
    import tomllib  # not at the top: an older Python shall get a refusal, not an ImportError

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    rests_on = {
        "place": f"{ROOT} {sys.version_info[:2]}",
        "tool": Path(__file__).read_text(),
        "lock": LOCK.read_text(),
        **{table: project[table] for table in ("build-system", "project", "dependency-groups")},
        "wheel": project["tool"]["hatch"],
    }
    return hashlib.sha256(json.dumps(rests_on).encode()).hexdigest()


def run(*command: str | Path) -> None:
    words = [str(word) for word in command]
    if subprocess.run(words, cwd=ROOT).returncode != 0:
        raise SetupFailed(f"this command failed: {' '.join(words)}")


def succeeds(*command: str | Path) -> bool:
    words = [str(word) for word in command]
    return subprocess.run(words, cwd=ROOT, capture_output=True).returncode == 0


def has_working_pip() -> bool:
    return PYTHON.exists() and succeeds(PYTHON, "-m", "pip", "--version")


def create_venv() -> None:
    """A `.venv` that has pip, by the first way that works."""
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if succeeds(sys.executable, "-m", "venv", "--clear", VENV) and has_working_pip():
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"    Python's venv is incomplete here; installing {package}", flush=True)
        quiet = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq")
        run(*quiet, "update")
        run(*quiet, "install", "-y", "--no-install-recommends", package)
        run(sys.executable, "-m", "venv", "--clear", VENV)
        return
    if succeeds(sys.executable, "-m", "venv", "--clear", "--without-pip", VENV):
        # pip 22.3 and later can work on an environment other than their own.
        if succeeds(sys.executable, "-m", "pip", "--python", PYTHON, "install", "pip"):
            return
        if shutil.which("uv") and succeeds("uv", "pip", "install", "--python", PYTHON, "pip"):
            return
        if fetch_pip():
            return
    raise SetupFailed(
        f"{sys.executable} cannot make a virtual environment with pip\n"
        f"    on Debian or Ubuntu:  sudo apt-get install {package}\n"
        "    elsewhere:            install Python 3.11 or later with its venv and ensurepip\n"
        "    another Python:       make setup PYTHON=/path/to/python3"
    )


def fetch_pip() -> bool:
    """Install the locked pip into `.venv` from its wheel, which can be run as it is."""
    (version,) = re.findall(r"^pip==(\S+)$", LOCK.read_text(), flags=re.MULTILINE)
    index = os.environ.get("PIP_INDEX_URL", DEFAULT_INDEX).rstrip("/")
    accept = {"Accept": "application/vnd.pypi.simple.v1+json"}  # PEP 691
    print(f"    no pip here; fetching pip {version} from the package index", flush=True)
    try:
        page = urllib.request.Request(f"{index}/pip/", headers=accept)
        with urllib.request.urlopen(page, timeout=60) as answer:
            files = {each["filename"]: each for each in json.load(answer)["files"]}
        wanted = files[f"pip-{version}-py3-none-any.whl"]
        url = urllib.parse.urljoin(f"{index}/pip/", wanted["url"])
        with urllib.request.urlopen(url, timeout=60) as answer:
            content = answer.read()
    except (OSError, ValueError, KeyError) as error:
        print(f"    that failed: {error!r}", flush=True)
        return False
    if hashlib.sha256(content).hexdigest() != wanted["hashes"]["sha256"]:
        raise SetupFailed(f"{url}: the file is not what the index says that it is")
    wheel = VENV / wanted["filename"]
    wheel.write_bytes(content)
    return succeeds(PYTHON, wheel / "pip", "install", "--quiet", f"pip=={version}")


def set_up() -> None:
    if sys.version_info < OLDEST:
        raise SetupFailed(
            f"{sys.executable} is Python {sys.version.split()[0]}, but 3.11 or later is needed\n"
            "    another Python:       make setup PYTHON=/path/to/python3"
        )
    digest = wanted_digest()
    if has_working_pip() and STAMP.exists() and STAMP.read_text() == digest:
        return
    print("==> set-up: .venv with the versions of requirements.lock (a minute or two)", flush=True)
    STAMP.unlink(missing_ok=True)
    if not has_working_pip():
        create_venv()
    pip = (PYTHON, "-m", "pip", "--disable-pip-version-check", "--quiet")
    install = (*pip, "install", "--constraint", LOCK)
    run(*install, "--upgrade", "pip")  # Debian's own is older than dependency groups
    run(*install, "--group", "dev", "--editable", ".")
    STAMP.write_text(digest)
    print("==> set-up: done", flush=True)


def main() -> int:
    try:
        set_up()
    except SetupFailed as failure:
        print(f"set-up failed: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
