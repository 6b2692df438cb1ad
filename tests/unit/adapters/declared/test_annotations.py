"""Annotation files to roles, and what no file may do: bring the loader down."""

import json
import os
import textwrap
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from readystate.adapters.declared.annotation_files import AnnotationFiles
from readystate.adapters.declared.annotation_shape import editor_schema
from readystate.adapters.declared.annotations import build_catalog, declared_role, load_catalog
from readystate.adapters.declared.check import check_folder, problems_text
from readystate.adapters.declared.located_yaml import parse_located
from readystate.domain.catalog_check import catalog_problems
from readystate.domain.errors import NotFound
from readystate.domain.ids import RoleName
from readystate.domain.role import (
    Declared,
    Epoch,
    Flag,
    Lane,
    Reboot,
    Retry,
    Role,
    Scope,
    Take,
    Want,
)

ROOT = Path(__file__).resolve().parents[4]
SHIPPED = ROOT / "annotations"
SHIPPED_FILES = AnnotationFiles.read(SHIPPED)
SCHEMA = SHIPPED / "schema.json"
TEXTS = [path.read_text() for path in sorted(SHIPPED.glob("*.yml"))]

WHOLE = """\
role: bios-configured
summary: Bring the BIOS to the settings of the node's hardware profile.
call: bios_configure
lane: bmc
scope: node
flags: [destructive]
when: {vendor: Dell, hardware/bios/enabled: true}
requires: [bmc-managed]
after: [raid-configured]
provides: [bios-ready]
conflicts: [bios-legacy]
wants:
  - {attribute: hardware/bios/profile}
  - {attribute: network/address, from: dns-service, as: all, name: addresses}
  - {attribute: network/mtu, from: dns-service, default: null}
attributes:
  hardware/bios/enabled: {schema: {type: boolean}, default: false}
  hardware/bios/password: {schema: {type: string}, secret: true}
outputs:
  hardware/bios/applied: {schema: {type: object}}
reboot: shared
raises: [hardware-change]
invalidated_by: []
retry: {attempts: 3, backoff_s: [5, 0.5]}
deadline_s: 60
priority: 7
"""


def test_every_key_of_an_annotation_reaches_its_role() -> None:
    located, _ = parse_located(WHOLE.encode(), "x.yml")
    assert located is not None

    declared, problems = declared_role(located, "x.yml", "bios-configured", scripts={})

    assert problems == []
    assert declared.says_invalidated_by
    assert declared.role == Role(
        name=RoleName("bios-configured"),
        summary="Bring the BIOS to the settings of the node's hardware profile.",
        jig="call",
        argument="bios_configure",
        lane=Lane.BMC,
        scope=Scope.NODE,
        flags=frozenset({Flag.DESTRUCTIVE}),
        when=(("hardware/bios/enabled", True), ("vendor", "Dell")),
        requires=(RoleName("bmc-managed"),),
        after=(RoleName("raid-configured"),),
        provides=(RoleName("bios-ready"),),
        conflicts=(RoleName("bios-legacy"),),
        wants=(
            Want("hardware/bios/profile"),
            Want("network/address", RoleName("dns-service"), Take.ALL, given_name="addresses"),
            Want("network/mtu", RoleName("dns-service"), default=None, has_default=True),
        ),
        attributes=(
            Declared("hardware/bios/enabled", {"type": "boolean"}, False, has_default=True),
            Declared("hardware/bios/password", {"type": "string"}, secret=True),
        ),
        outputs=(Declared("hardware/bios/applied", {"type": "object"}),),
        reboot=Reboot.SHARED,
        raises=frozenset({Epoch.HARDWARE_CHANGE}),
        retry=Retry(3, (5.0, 0.5)),
        deadline_s=60.0,
        priority=7,
    )


def test_a_changed_script_is_a_changed_role(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    script = tmp_path / "scripts" / "web.py"
    (tmp_path / "web.yml").write_text("role: web\nsummary: Serve.\nscript: web.py\nlane: os\n")
    versions = set()
    for text in ("one", "two", "one"):
        script.write_text(text)
        versions.add(load_catalog(tmp_path).role(RoleName("web")).version)

    assert len(versions) == 2


def test_the_role_of_the_how_to_fits_the_shipped_graph() -> None:
    page = (ROOT / "docs" / "howto" / "add-a-role.md").read_text()
    block = textwrap.dedent(page.partition("```yaml\n")[2].partition("```")[0])
    texts = {**SHIPPED_FILES.texts(), "motd.yml": block, "scripts/motd.py": ""}

    catalog = build_catalog(AnnotationFiles.of_texts(texts))

    assert catalog.role(RoleName("motd")).wants[0].short_name == "motd"


def test_what_the_store_keeps_gives_the_same_catalog() -> None:
    kept = AnnotationFiles.of_texts(SHIPPED_FILES.texts())

    assert kept == SHIPPED_FILES
    assert build_catalog(kept) == load_catalog(SHIPPED)


def test_the_version_of_the_files_moves_with_any_of_them() -> None:
    texts = SHIPPED_FILES.texts()
    versions = {
        AnnotationFiles.of_texts({**texts, path: texts[path] + "#\n"}).version for path in texts
    }

    assert len(versions | {SHIPPED_FILES.version}) == len(texts) + 1


def test_a_folder_that_is_not_there_is_not_a_sound_one(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        check_folder(tmp_path / "nowhere")


def test_a_folder_without_annotations_is_not_a_sound_one(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "README.md").write_text("Nothing yet.\n")

    (problem,) = check_folder(tmp_path)
    assert f"no annotation files in {tmp_path}" in problem.what


def test_an_unreadable_file_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "web.yml").mkdir()

    assert problems_text(check_folder(tmp_path)).startswith(
        f"{tmp_path.name}/web.yml:1 the file cannot be read: "
    )


def test_the_editor_schema_is_the_golden_one() -> None:
    text = json.dumps(editor_schema(), indent=2, sort_keys=True) + "\n"
    if os.environ.get("GOLDEN") == "write":
        SCHEMA.write_text(text)

    assert SCHEMA.read_text() == text


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.yml")), ids=lambda path: path.stem)
def test_the_editor_schema_accepts_what_ships(path: Path) -> None:
    jsonschema.validate(yaml.safe_load(path.read_text()), json.loads(SCHEMA.read_text()))


def test_the_editor_schema_refuses_an_unknown_key() -> None:
    with pytest.raises(jsonschema.ValidationError, match="requre"):
        jsonschema.validate(
            {"role": "a", "summary": "b", "jig": "noop", "requre": []}, editor_schema()
        )


@given(st.sampled_from(TEXTS), st.data())
def test_no_damage_to_a_file_brings_the_loader_down(text: str, data: st.DataObject) -> None:
    """A piece of a real file is replaced by a piece of another, or by nonsense."""
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 80)))
    other = data.draw(st.sampled_from(TEXTS))
    cut = data.draw(st.integers(0, len(other)))
    piece = data.draw(
        st.sampled_from(["", "null", "[]", "{}", "- x", "1", "[[1]]", "true", "x: y", "''"])
        | st.just(other[cut : cut + 60])
    )
    damaged = text[:start] + piece + text[end:]

    located, problems = parse_located(damaged.encode(), "x.yml")
    if located is not None and isinstance(located.value, dict):
        declared, more = declared_role(located, "x.yml", "x", scripts=SHIPPED_FILES.scripts)
        problems += more + catalog_problems([declared])

    assert all(item.line >= 1 for item in problems)
