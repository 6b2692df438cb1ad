"""readystate is killed as by `kill -9`, before and after each kind of commit and between each kind
of side effect and its record. The next one on the same state comes to the end of a rack that nobody
disturbed."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.crash.end_state import EndState, assert_sound, differences, end_state
from tests.e2e.crash.mortal_rack import MortalRack, mortal_rack
from tests.e2e.crash.points import COMMITS, SIDE_EFFECTS, TOUR, Chain
from tests.e2e.crash.victim import Point
from tests.postgres import PostgresServer

_CHAINS = {"tour": TOUR, **COMMITS, **SIDE_EFFECTS}
#: Racks at once in the long run; more would only wait for two cores.
_AT_ONCE = 3
_LONG_S = 3 * 3600


@pytest.fixture(scope="module")
def undisturbed() -> tuple[EndState, tuple[Point, ...]]:
    """The end of a rack that nobody disturbed, and every point that it passed."""
    with mortal_rack() as rack:
        found = _lived_through(rack)
        return found, tuple(_points(rack.folder / "journal"))


def _lived_through(rack: MortalRack, *points: Point) -> EndState:
    rack.bring_to_quiet(*points)
    with rack.api() as api:
        found = end_state(rack, api)
        assert_sound(rack, api, found)
    return found


def _points(journal: Path) -> Iterable[Point]:
    for line in journal.read_text().splitlines():
        if line[0] not in "=(":
            name, _, number = line.rpartition(" ")
            yield Point(name, int(number))


def _end_after(points: Chain, expected: EndState, database_url: str = "") -> int:
    """Returns how often it died on the way to the same end."""
    with mortal_rack(database_url) as rack:
        found = _lived_through(rack, *points)
        assert [] == differences(expected, found)
        return rack.deaths


def test_nobody_is_asked_and_all_is_ready_when_nothing_dies(
    undisturbed: tuple[EndState, tuple[Point, ...]],
) -> None:
    found, _ = undisturbed

    states = {state for state, _, _ in found.node_roles.values()}
    assert {"active", "skipped"} == states
    assert {"running"} == {machine["state"] for machine in found.machines.values()}
    assert {1} == set(found.wipes.values())


def test_every_kind_of_commit_of_a_rack_is_killed_before_and_after(
    undisturbed: tuple[EndState, tuple[Point, ...]],
) -> None:
    _, passed = undisturbed
    killed = {point.name for chain in _CHAINS.values() for point in chain}

    assert {point.name for point in passed if point.name.startswith("commit ")} <= killed


@pytest.mark.parametrize("name", _CHAINS)
def test_it_comes_to_the_same_end(
    name: str, undisturbed: tuple[EndState, tuple[Point, ...]]
) -> None:
    deaths = _end_after(_CHAINS[name], undisturbed[0])

    assert len(_CHAINS[name]) == deaths, "it did not come to all points"


@pytest.mark.parametrize("name", ["tour", *COMMITS])
def test_it_comes_to_the_same_end_on_postgresql(
    name: str, undisturbed: tuple[EndState, tuple[Point, ...]], postgres_database: str
) -> None:
    deaths = _end_after(_CHAINS[name], undisturbed[0], postgres_database)

    assert len(_CHAINS[name]) == deaths, "it did not come to all points"


@pytest.mark.skipif(not os.environ.get("LONG"), reason="an hour: LONG=1")
@pytest.mark.timeout(_LONG_S)
@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_it_comes_to_the_same_end_from_every_single_point(
    store: str,
    undisturbed: tuple[EndState, tuple[Point, ...]],
    postgres_server: PostgresServer,
) -> None:
    expected, passed = undisturbed

    def die_at(point: Point) -> tuple[int, str]:
        url = postgres_server.create_database() if store == "postgresql" else ""
        try:
            return _end_after((point,), expected, url), ""
        except Exception as error:  # all are told in the end, not the first
            return 0, f"{point}: {error}"

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        ends = list(pool.map(die_at, passed))
    assert [] == [told for _, told in ends if told]
    # Turns are not the same in any two racks, so the last few points may not be met again.
    assert 0.9 * len(passed) < sum(deaths for deaths, _ in ends)
