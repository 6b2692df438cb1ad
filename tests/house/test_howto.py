"""What docs/howto shows can be done as it is shown."""

import json
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from readystate.adapters.declared.check import check_folder, problems_text
from readystate.adapters.jigs.script.wire import LOADER, TOOLKIT

ROOT = Path(__file__).resolve().parent.parent.parent
ADD_A_ROLE = ROOT / "docs" / "howto" / "add-a-role.md"


def shown(page: Path, language: str) -> str:
    """The one block of that language on a page."""
    (block,) = re.findall(
        rf"^ *```{language}\n(.*?)^ *```", page.read_text(), flags=re.DOTALL | re.MULTILINE
    )
    return textwrap.dedent(block)


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    """The shipped annotations with the shown role among them."""
    folder = shutil.copytree(ROOT / "annotations", tmp_path / "annotations")
    (folder / "motd.yml").write_text(shown(ADD_A_ROLE, "yaml"))
    (folder / "scripts" / "motd.py").write_text(shown(ADD_A_ROLE, "python"))
    return Path(folder)


def test_shown_annotation_is_sound(annotations: Path) -> None:
    assert "" == problems_text(check_folder(annotations))


@pytest.mark.parametrize("wanted", ["site/motdd", "motd"])
def test_shown_annotation_is_looked_at(annotations: Path, wanted: str) -> None:
    """The test above can fail: a want without a source among the shown lines is told."""
    path = annotations / "motd.yml"
    path.write_text(path.read_text().replace("{attribute: site/motd}", f"{{attribute: {wanted}}}"))

    assert "motd.yml:7" in problems_text(check_folder(annotations))


def test_shown_script_does_what_it_says(tmp_path: Path) -> None:
    def call(action: str) -> dict[str, object]:
        document = {
            "input": {"motd": "rack-a", "root": str(tmp_path)},
            "action": action,
            "toolkit": TOOLKIT,
            "script": shown(ADD_A_ROLE, "python"),
            "name": "motd.py",
        }
        ran = subprocess.run(
            [sys.executable, "-c", LOADER],
            input=json.dumps(document),
            check=True,
            capture_output=True,
            text=True,
        )
        answer: dict[str, object] = json.loads(ran.stdout)
        return answer

    before, answer, after = call("check"), call("run"), call("check")

    assert (False, True) == (before["done"], after["done"])
    assert ["/etc/motd"] == answer["written"]
    assert "rack-a\n" == (tmp_path / "etc" / "motd").read_text()
