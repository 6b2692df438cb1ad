"""`make arch` can fail: violations planted in a copy of the tree are each reported."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

#: A module of the copy, the module it wrongly imports there, and the contract that says so.
PLANTED = [
    ("domain.planted_port", "readystate.ports.clock", "Imports go right only"),
    ("ports.planted_engine", "readystate.engine.planted", "Imports go right only"),
    ("engine.planted_adapter", "readystate.adapters.store", "Imports go right only"),
    ("web.planted_adapter", "readystate.adapters.store", "Imports go right only"),
    ("web.planted_lab", "readystate.lab.hardware", "Imports go right only"),
    ("lab.planted_adapter", "readystate.adapters.hammers", "Imports go right only"),
    ("adapters.store.planted_settings", "readystate.settings", "Imports go right only"),
    ("adapters.planted_web", "readystate.web", "Imports go right only"),
    ("adapters.jigs.planted_engine", "readystate.engine.planted", "not who uses them"),
    ("lab.planted_engine", "readystate.engine.planted", "not who uses them"),
    ("domain.planted_time", "time", "Domain, planner and forecast"),
    ("domain.planted_asyncio", "asyncio", "Domain, planner and forecast"),
    ("domain.planted_logging", "logging", "Domain, planner and forecast"),
    ("domain.planted_os", "os", "Domain, planner and forecast"),
    ("domain.planted_sqlalchemy", "sqlalchemy", "Domain, planner and forecast"),
    ("engine.planner", "asyncio", "Domain, planner and forecast"),
    ("engine.forecast", "time", "Domain, planner and forecast"),
    ("web.planted_sqlalchemy", "sqlalchemy", "The web decides nothing"),
    ("engine.planted_sqlalchemy", "sqlalchemy", "SQLAlchemy and Alembic live in"),
    ("adapters.jigs.planted_pyghmi", "pyghmi", "pyghmi lives in"),
    ("adapters.boot.planted_pysnmp", "pysnmp", "pysnmp in its hammer"),
    ("lab.planted_jinja2", "jinja2", "jinja2 in adapters/boot"),
    ("adapters.store.planted_fastapi", "fastapi", "FastAPI and its kin live in"),
    ("web.planted_typer", "typer", "Typer in cli"),
    ("adapters.jigs.planted_hammer", "readystate.adapters.hammers", "Adapters meet in bootstrap"),
    ("adapters.jigs.planted_a", "readystate.adapters.jigs.planted_b", "nor do jigs"),
    ("adapters.hammers.planted_a", "readystate.adapters.hammers.planted_b", "Hammers do not"),
]
#: Nothing wrong with these: they are there to be imported.
BYSTANDERS = ("engine.planted", "adapters.jigs.planted_b", "adapters.hammers.planted_b")


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-logo", "--no-cache"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )


def copy_tree(folder: Path) -> Path:
    skip = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "readystate", folder / "readystate", ignore=skip)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def path_of(folder: Path, module: str) -> Path:
    return folder / "readystate" / (module.replace(".", "/") + ".py")


@pytest.fixture(scope="module")
def planted_report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What is said of the planted tree: contract name to the text under it."""
    folder = copy_tree(tmp_path_factory.mktemp("planted"))
    for module in BYSTANDERS:
        path_of(folder, module).write_text('"""Planted."""\n')
    for module, imported, _ in PLANTED:
        path_of(folder, module).write_text(f"import {imported}\n")
    (folder / "readystate" / "utils.py").write_text('"""Planted: no layer has it."""\n')
    result = lint_imports(folder)
    assert 1 == result.returncode, result.stdout + result.stderr
    broken = result.stdout.split("Broken contracts", 1)[1]
    lines = broken.splitlines()
    report: dict[str, str] = {}
    heading = ""
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if line.strip() and below.strip() == "-" * len(line.strip()):
            heading = line.strip()
        report[heading] = report.get(heading, "") + line + "\n"
    return report


@pytest.mark.parametrize(("module", "imported", "contract"), PLANTED)
def test_planted_import_is_reported(
    module: str, imported: str, contract: str, planted_report: dict[str, str]
) -> None:
    said = next((text for heading, text in planted_report.items() if contract in heading), "")

    assert f"readystate.{module} -> {imported}" in said


def test_stray_module_at_the_top_is_reported(planted_report: dict[str, str]) -> None:
    assert "utils" in planted_report["Imports go right only"]


def test_every_contract_is_broken_by_something_planted(planted_report: dict[str, str]) -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]

    assert {contract["name"] for contract in contracts} <= planted_report.keys()


def test_tree_without_anything_planted_keeps_every_contract(tmp_path: Path) -> None:
    result = lint_imports(copy_tree(tmp_path))

    assert 0 == result.returncode, result.stdout
