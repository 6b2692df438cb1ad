"""Plan and commit, design.md section 4.6: what a commit writes however many units its change
reaches, and what its digest covers."""

from collections.abc import Callable

import pytest

from readystate.domain.deployment import Bind, Recall
from readystate.engine import propagation
from tests.property.scenario import (
    ACTIVE,
    GATED,
    SKIPPED,
    Rig,
    by_cluster,
    make_role,
    names,
)

MakeRig = Callable[..., Rig]


# -- counters --------------------------------------------------------------------------------------


@pytest.fixture
def _unit_by_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a change of more than 500 units: each is loaded after those before it were saved."""
    monkeypatch.setattr(propagation, "CHUNK", 1)


def _counters_are_right(rig: Rig) -> bool:
    return rig.read(lambda reader: reader.compare_counters()) == []


@pytest.mark.usefixtures("_unit_by_unit")
def test_a_barrier_counts_a_peer_that_is_skipped_and_one_that_joins_in_one_commit(
    make_rig: MakeRig,
) -> None:
    rig = make_rig(by_cluster("peer", when=GATED), make_role("front", needs=["peer"]), nodes=4)
    rig.bind("peer", nodes=[0, 1, 2])
    rig.bind("front", nodes=[0])

    peer, last = names("peer")[0], rig.nodes[3]
    rig.commit([rig.setting("set/gate", False, node=0), Bind(peer, last)])

    assert rig.state("peer") is SKIPPED
    assert _counters_are_right(rig)
    rig.drain()
    assert rig.states("front", "peer") == [ACTIVE, SKIPPED]


def test_a_child_bound_to_what_is_recalled_waits_for_it_once(make_rig: MakeRig) -> None:
    rig = make_rig(make_role("below"), make_role("above", needs=["below"]))
    rig.bind("below")
    rig.work("below")

    above = names("above")[0]
    rig.commit([Recall(rig.the("below").id), Bind(above, rig.nodes[0])])

    assert _counters_are_right(rig)
    rig.recommit("below")
    rig.drain()
    assert rig.state("above") is ACTIVE
