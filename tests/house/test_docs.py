"""Documentation is part of the product: links lead somewhere, what is generated is current, and
every command that is named exists."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

from tools import diagrams, settings_page

ROOT = Path(__file__).resolve().parent.parent.parent
DECISIONS = ROOT / "docs" / "decisions"
PARTS = ("Context", "Decision", "Consequences", "Alternatives", "Enforced by")
FRAGMENT = re.compile(r"[\w-]+\.(added|changed|fixed|removed)\.md")


def pages() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [ROOT / name for name in listed.splitlines() if (ROOT / name).exists()]


def prose_of(page: Path) -> str:
    return re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose_of(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead_links(page: Path) -> list[str]:
    dead = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose_of(page)):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            dead.append(target)
    return dead


def makefile_targets() -> set[str]:
    text = (ROOT / "Makefile").read_text()
    return set(re.findall(r"^([a-z][a-z0-9-]*):(?!=)", text, flags=re.MULTILINE))


def page_name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", pages(), ids=page_name)
def test_links_of_page_lead_somewhere(page: Path) -> None:
    assert [] == dead_links(page)


def test_dead_links_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Here it is\n[a](no.md) [b](#here-it-is) [c](#not-here) [d](https://e.org)")

    assert ["no.md", "#not-here"] == dead_links(page)


@pytest.mark.parametrize("page", pages(), ids=page_name)
def test_make_targets_that_page_names_exist(page: Path) -> None:
    lines = re.findall(r"`make ([^`\n]+)`", page.read_text())
    lines += re.findall(r"^make ([^#\n]+)", page.read_text(), flags=re.MULTILINE)
    named = {
        word for line in lines for word in line.split() if re.fullmatch(r"[a-z][a-z0-9-]*", word)
    }

    assert set() == named - makefile_targets()


def test_readme_has_the_two_commands_and_fits_a_screen() -> None:
    text = (ROOT / "README.md").read_text()

    assert "\nmake rack " in text
    assert "\nmake test " in text
    assert len(text.splitlines()) <= 70


def test_every_make_target_is_in_the_help() -> None:
    told = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    assert makefile_targets() == set(re.findall(r"^  make ([a-z0-9-]+)  ", told, re.MULTILINE))


def test_every_make_target_is_phony() -> None:
    """Folders are called `tests` and `docs`; make would find them up to date."""
    text = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    (declared,) = re.findall(r"^\.PHONY: (.+)$", text, flags=re.MULTILINE)

    assert makefile_targets() == set(declared.split())


def test_ci_runs_what_people_run() -> None:
    script = ROOT / ".ci" / "run"

    assert script.read_text().rstrip().endswith("make test")
    assert script.stat().st_mode & 0o111


def test_sections_of_the_design_that_code_cites_exist() -> None:
    headings = re.findall(r"^##+ (\d+(?:\.\d+)?)\.? ", (ROOT / "docs/design.md").read_text(), re.M)
    cited = {
        (str(path.relative_to(ROOT)), section)
        for folder in ("readystate", "tests", "bench", "tools")
        for path in (ROOT / folder).rglob("*.py")
        for section in re.findall(r"design\.md(?: sections?)? (\d+(?:\.\d+)?)", path.read_text())
    }

    assert cited
    assert set() == {cite for cite in cited if cite[1] not in headings}


def test_every_decision_is_in_the_index_once_and_in_order() -> None:
    linked = re.findall(r"^\| \[(\d{4})\]\((\S+)\)", (DECISIONS / "index.md").read_text(), re.M)
    files = sorted(path.name for path in DECISIONS.glob("[0-9]*.md"))

    assert files == [name for _, name in linked]
    assert [name[:4] for name in files] == [number for number, _ in linked]


@pytest.mark.parametrize("page", sorted(DECISIONS.glob("[0-9]*.md")), ids=lambda page: page.stem)
def test_decision_is_one_page_with_its_five_parts(page: Path) -> None:
    text = page.read_text()

    assert text.startswith(f"# {page.name[:4]}: ")
    assert list(PARTS) == re.findall(r"^\*\*([\w ]+)\.\*\*", text, flags=re.MULTILINE)
    assert len(text.splitlines()) <= 60


@pytest.mark.parametrize("generator", ["tools/diagrams.py", "tools/settings_page.py"])
def test_generated_page_is_current(generator: str) -> None:
    checked = subprocess.run(
        [sys.executable, generator, "--check"], cwd=ROOT, capture_output=True, text=True
    )

    assert 0 == checked.returncode, checked.stdout + checked.stderr


@pytest.mark.parametrize("page", [diagrams, settings_page], ids=["states", "settings"])
def test_stale_page_is_found_and_written_anew(
    page: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    (tmp_path / "page.md").write_text("stale")

    assert 1 == page.main(["--check"])
    assert "stale" == (tmp_path / "page.md").read_text()
    assert 0 == page.main([])
    assert 0 == page.main(["--check"])


@pytest.mark.parametrize("page", ["states.md", "settings.md"])
def test_everything_on_a_generated_page_has_its_meaning(page: str) -> None:
    rows = re.findall(r"^\| (.+) \|$", (ROOT / "docs" / page).read_text(), re.MULTILINE)

    assert [] == [row for row in rows if any(not cell.strip() for cell in row.split(" | "))]


def test_changelog_fragments_are_one_sentence_of_a_known_kind() -> None:
    fragments = [path for path in (ROOT / "changelog.d").iterdir() if path.name != "README.md"]

    assert [] == [path.name for path in fragments if not FRAGMENT.fullmatch(path.name)]
    assert [] == [path.name for path in fragments if path.read_text().strip().count("\n") > 1]


def test_every_declared_dependency_is_pinned() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    pinned = {canonical(line) for line in lock.splitlines() if "==" in line}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = [
        project["project"]["dependencies"],
        *project["project"]["optional-dependencies"].values(),
        *project["dependency-groups"].values(),
    ]

    assert set() == {canonical(requirement) for group in groups for requirement in group} - pinned


def test_lock_says_versions_and_not_where_they_come_from() -> None:
    lines = (ROOT / "requirements.lock").read_text().splitlines()

    assert [] == [line for line in lines if not re.fullmatch(r"#.*|[\w.-]+==[\w.!+]+", line)]


def canonical(requirement: str) -> str:
    """The name of a requirement as package indexes compare it (PEP 503)."""
    (name,) = re.findall(r"^[A-Za-z0-9._-]+", requirement)
    return re.sub(r"[-_.]+", "-", name.split("==")[0]).lower()
