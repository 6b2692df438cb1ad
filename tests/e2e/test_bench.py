"""Each bench at a tiny size: that it measures, not what it measures."""

import shutil
from collections.abc import Callable, Iterable

import pytest

from bench import dispatch, faked, settle, sweep
from bench.figure import Figure
from bench.shipped_graph import DEPLOYMENT_ROLES, ROLES_A_NODE, Work, graph_files
from readystate.adapters.declared.annotations import build_catalog
from readystate.domain.role import Scope

TINY: dict[str, Callable[[], Iterable[Figure]]] = {
    "settle": lambda: settle.figures(few=2, many=4),
    "dispatch": lambda: dispatch.figures(nodes=2),
    "faked": lambda: faked.figures(few=1, many=3),
}


@pytest.mark.parametrize("name", TINY)
def test_a_bench_measures(name: str) -> None:
    figures = list(TINY[name]())

    assert figures
    assert all(figure.value > 0 for figure in figures)


@pytest.mark.skipif(shutil.which("ipmipower") is None, reason="FreeIPMI is not here: setup-test")
def test_the_sweep_is_measured_beside_its_peer() -> None:
    cold, kept = sweep.figures(bmcs=5)

    assert cold.peer == kept.peer is not None
    assert kept.goal.number == kept.peer.value


@pytest.mark.parametrize("work", Work)
def test_the_graph_has_thirty_roles_a_node(work: Work) -> None:
    roles = build_catalog(graph_files(work)).roles.values()

    assert ROLES_A_NODE == sum(role.scope is Scope.NODE for role in roles)
    assert DEPLOYMENT_ROLES == sum(role.scope is Scope.DEPLOYMENT for role in roles)
