"""Quirks are matched by specificity; what is wrong in their files is said with file and line."""

from pathlib import Path

import pytest

from readystate.adapters.declared.quirks import load_quirks
from readystate.domain.errors import AnnotationsInvalid, Invalid
from readystate.domain.quirk import Machine

SHIPPED = Path(__file__).resolve().parents[4] / "annotations" / "quirks"

GOOD = """\
quirk: {name}
source: a test
match: {match}
seen_on: [{seen_on}]
set: {set}
"""


def write(folder: Path, name: str, match: str, seen_on: str, set_: str) -> None:
    text = GOOD.format(name=name, match=match, seen_on=seen_on, set=set_)
    (folder / f"{name}.yml").write_text(text)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "vendors.yml").write_text("Acme: ^acme\n")
    seen = "{vendor: Acme Inc., model: A-1, firmware: 1.0}"
    write(tmp_path, "all", "{vendor: ^Acme$}", seen, "{power_settle_s: 30}")
    write(tmp_path, "model", "{vendor: ^Acme$, model: A-1}", seen, "{power_settle_s: 60}")
    return tmp_path


def test_the_more_specific_quirk_wins(folder: Path) -> None:
    table = load_quirks(folder)

    assert 60 == table.resolve(Machine("ACME", "A-1")).quirks.power_settle_s
    assert 30 == table.resolve(Machine("ACME", "B-2")).quirks.power_settle_s
    assert 20 == table.resolve(Machine("Other", "A-1")).quirks.power_settle_s


def test_the_trace_says_why_each_quirk_applies_or_not(folder: Path) -> None:
    trace = load_quirks(folder).resolve(Machine("ACME", "B-2")).trace

    assert [
        ("all", True, "matches vendor 'Acme'"),
        ("model", False, "model 'B-2' does not match 'A-1'"),
    ] == [(item.quirk, item.applies, item.why) for item in trace]


def test_an_unknown_fact_does_not_match(folder: Path) -> None:
    trace = load_quirks(folder).resolve(Machine("ACME")).trace

    assert (False, "model is not known yet") == (trace[1].applies, trace[1].why)


def test_two_equally_specific_quirks_that_disagree_are_an_error_at_load(folder: Path) -> None:
    write(
        folder,
        "rival",
        "{vendor: ^Acme$, model: ^A}",
        "{vendor: Acme, model: A-2}",
        "{power_settle_s: 90}",
    )

    with pytest.raises(AnnotationsInvalid, match="power_settle_s contradicts") as caught:
        load_quirks(folder)
    assert {"quirks/all.yml", "quirks/model.yml"} == {item.file for item in caught.value.problems}


def test_a_contradiction_that_only_a_new_machine_shows_is_an_error_too(folder: Path) -> None:
    write(
        folder,
        "rival",
        "{vendor: ^Acme$, model: '-2$'}",
        "{vendor: Acme, model: B-2}",
        "{power_settle_s: 90}",
    )
    table = load_quirks(folder)

    with pytest.raises(Invalid, match="contradicts"):
        table.resolve(Machine("Acme", "A-1-2"))


def bad(
    name: str = "bad",
    match: str = "{vendor: x}",
    seen_on: str = "[{vendor: x}]",
    set_: str = "{}",
) -> str:
    return f"quirk: {name}\nsource: a test\nmatch: {match}\nseen_on: {seen_on}\nset: {set_}\n"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("quirk: bad\n", "1 match: missing"),
        (bad(name="other"), "1 quirk: 'other' is not the file's name"),
        (bad(match="{model: x}"), "3 match.vendor: missing"),
        (bad(match="{vendor: x, modle: y}"), "3 match.modle: no such fact"),
        (bad(match="{vendor: '['}"), "3 match.vendor: not a regular expression"),
        (bad(seen_on="[{vendor: y}]"), "1 seen_on: does not match its own machine y"),
        (bad(seen_on="[{model: y}]"), "4 seen_on[0]: not a machine"),
        (bad(seen_on="[]"), "4 seen_on: empty"),
        (bad(set_="{power_setle_s: 1}"), "5 set.power_setle_s: no such quirk"),
        (bad(set_="{redfish_expand: maybe}"), "5 set.redfish_expand: 'maybe' is no bool"),
        ("[]\n", "1 file: not a mapping"),
        ("quirk: [\n", "2 not YAML"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(folder: Path, text: str, problem: str) -> None:
    (folder / "bad.yml").write_text(text)

    with pytest.raises(AnnotationsInvalid) as caught:
        load_quirks(folder)
    assert any(
        item.what.startswith(f"quirks/bad.yml:{problem}") for item in caught.value.problems
    ), str(caught.value)


def test_a_misspelt_quirk_is_guessed(folder: Path) -> None:
    write(folder, "bad", "{vendor: x}", "{vendor: x}", "{power_setle_s: 1}")

    with pytest.raises(AnnotationsInvalid, match="did you mean 'power_settle_s'"):
        load_quirks(folder)


def test_the_shipped_quirks_load_and_each_has_a_source() -> None:
    table = load_quirks(SHIPPED)

    assert 5 <= len(table.quirks)
    assert all(quirk.source and quirk.seen_on for quirk in table.quirks)


@pytest.mark.parametrize(
    ("manufacturer", "vendor"),
    [
        ("Dell Inc.", "Dell"),
        ("HPE", "HPE"),
        ("Hewlett Packard Enterprise", "HPE"),
        ("HP", "HPE"),
        ("Super Micro Computer", "Supermicro"),
        ("Supermicro", "Supermicro"),
        ("Acme Servers", "Acme Servers"),
    ],
)
def test_vendors_have_one_name(manufacturer: str, vendor: str) -> None:
    assert vendor == load_quirks(SHIPPED).normalise_vendor(manufacturer)
