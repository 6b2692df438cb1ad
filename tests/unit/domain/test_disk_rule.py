"""Exactly one disk, or none at all."""

from typing import Any

import pytest

from readystate.domain.disk_rule import choose_disk
from readystate.domain.errors import BadRequest

GIB = 2**30


def disk(name: str, gib: int, **facts: Any) -> dict[str, Any]:
    return {"name": name, "size_bytes": gib * GIB, "serial": name.upper(), **facts}


SMALL = disk("sda", 100, model="A", rotational=False, wwn="w1", by_path="p1")
LARGE = disk("sdb", 200, model="A", rotational=True, wwn="w2", by_path="p2")
TWIN = disk("sdc", 200, model="B", rotational=False, wwn="w3", by_path="p3")
DISKS = [SMALL, LARGE, TWIN]


@pytest.mark.parametrize(
    ("rule", "chosen"),
    [
        ({"name": "sdb"}, LARGE),
        ({"serial": "SDB"}, LARGE),
        ({"wwn": "w2"}, LARGE),
        ({"by_path": "p2"}, LARGE),
        ({"model": "B"}, TWIN),
        ({"rotational": True}, LARGE),
        ({"model": "A", "rotational": False}, SMALL),
        ({"max_bytes": 100 * GIB}, SMALL),
        ({"max_bytes": 200 * GIB - 1}, SMALL),
        ({"min_bytes": 200 * GIB, "model": "B"}, TWIN),
        ({"min_bytes": 100 * GIB, "model": "A", "pick": "largest"}, LARGE),
        ({"pick": "smallest"}, SMALL),
        ({"pick": "smallest", "rotational": True}, LARGE),
    ],
)
def test_everything_in_the_rule_holds_for_the_disk(
    rule: dict[str, Any], chosen: dict[str, Any]
) -> None:
    assert chosen == choose_disk(rule, DISKS)


@pytest.mark.parametrize(
    ("rule", "what", "listed"),
    [
        ({}, "3 disks match", DISKS),
        ({"pick": "largest"}, "2 disks match", [LARGE, TWIN]),
        ({"min_bytes": 100 * GIB + 1}, "2 disks match", [LARGE, TWIN]),
        ({"model": "A"}, "2 disks match", [SMALL, LARGE]),
        ({"model": "A", "wwn": "w3"}, "no disk matches", DISKS),
        ({"min_bytes": 200 * GIB + 1}, "no disk matches", DISKS),
        ({"min_bytes": 300 * GIB, "pick": "smallest"}, "no disk matches", DISKS),
    ],
)
def test_none_and_several_are_refused_with_the_disks(
    rule: dict[str, Any], what: str, listed: list[dict[str, Any]]
) -> None:
    with pytest.raises(BadRequest, match=what) as refused:
        choose_disk(rule, DISKS)

    names = [item["name"] for item in DISKS if f"{item['name']} " in refused.value.why]
    assert [item["name"] for item in listed] == names


def test_no_disks_at_all_is_refused() -> None:
    with pytest.raises(BadRequest, match="no disk matches") as refused:
        choose_disk({}, [])

    assert "no disks at all" in refused.value.why


def test_a_property_that_the_inventory_could_not_tell_matches_nothing() -> None:
    with pytest.raises(BadRequest):
        choose_disk({"rotational": False}, [disk("sda", 100)])
