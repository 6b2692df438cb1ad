"""Binding and clusters, design.md section 4.2."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from readystate.domain.blockers import BlockerKind
from readystate.domain.deployment import Bind, Unbind
from readystate.domain.errors import AnnotationsInvalid, Conflict, Refused
from readystate.domain.ids import NodeId, RoleName
from readystate.domain.node import Node
from readystate.domain.role import Scope, Take, Want
from readystate.engine.commit import commit_proposal
from tests.property.scenario import (
    ACTIVE,
    BLOCKED,
    ERROR,
    TODO,
    TRANSITION,
    Rig,
    by_cluster,
    make_catalog,
    make_role,
    puts_out,
    shared_by_deployment,
    wants_output,
)

MakeRig = Callable[..., Rig]


def _edges(rig: Rig) -> set[tuple[str, str, str]]:
    """(parent, child, reason), nodes by number: `first@0`."""
    graph = rig.whole_graph()

    def told(item: Any) -> str:
        found = graph.node_roles[item]
        node = rig.nodes.index(found.node_id) if found.node_id is not None else "-"
        return f"{found.role}@{node}"

    return {
        (told(edge.parent), told(edge.child), edge.reason)
        for item in graph.focus
        for edge in graph.parents[item]
    }


# -- finding and creating --------------------------------------------------------------------------


def test_binding_pulls_in_all_that_a_role_needs_with_the_reason(make_rig: MakeRig) -> None:
    """bind: ... adds edges with their reason (`requires`, `wants`, `after`, `cluster`)."""
    rig = make_rig(
        make_role("required"),
        puts_out("wanted"),
        puts_out("gate"),
        make_role("before"),
        make_role(
            "last",
            needs=["required"],
            after=["before"],
            wants=wants_output("wanted"),
            when=(("out/gate", 1),),
        ),
    )
    rig.bind("before", "last")

    assert _edges(rig) == {
        ("required@0", "last@0", "requires"),
        ("wanted@0", "last@0", "wants"),
        ("gate@0", "last@0", "when"),
        ("before@0", "last@0", "after"),
    }


def test_binding_again_changes_nothing(make_rig: MakeRig) -> None:
    """bind(role, node) returns the node-role if it exists; is idempotent."""
    rig = make_rig(make_role("first"), make_role("second", needs=["first"]))
    rig.bind("second")
    rig.work("first", "second")
    before = (rig.node_roles(), _edges(rig))

    plan = rig.bind("second", "first")

    assert plan.is_empty
    assert (rig.node_roles(), _edges(rig)) == before


def test_the_order_in_which_things_are_bound_does_not_matter(make_rig: MakeRig) -> None:
    """Planning is independent of input order."""
    roles = (
        make_role("first"),
        make_role("second", needs=["first"]),
        make_role("third", after=["second"]),
        by_cluster("peers", needs=["first"]),
        make_role("fourth", needs=["peers"]),
    )
    names = ["fourth", "second", "third", "peers"]
    shapes = []
    for order in (names, list(reversed(names))):
        rig = make_rig(*roles, nodes=2)
        rig.bind(*order, nodes=(0, 1) if order is names else (1, 0))
        shapes.append(_edges(rig))

    assert shapes[0] == shapes[1]


def test_a_parent_is_looked_for_on_the_node_then_in_the_deployment_then_outwards(
    make_rig: MakeRig,
) -> None:
    """finds each parent: same node, then the deployment, then its ancestors, else creates it."""
    rig = make_rig(shared_by_deployment("dns"), make_role("client", needs=["dns"]), deep=True)
    outer, inner = rig.deployments
    proposal = rig.propose([Bind(RoleName("dns"))])
    rig.write(
        lambda tx: commit_proposal(
            tx,
            tx.add_proposal(replace(proposal, deployment_id=outer)),
            lambda version: rig.catalog,
            rig.clock.now(),
            by="tester",
            digest=None,
        )
    )

    rig.bind("client")

    found = rig.the("dns", None)
    assert (found.deployment_id, found.deployment_id == inner) == (outer, False)
    assert _edges(rig) == {("dns@-", "client@0", "requires")}


def test_a_deployment_role_that_is_bound_nowhere_is_created_in_the_nodes_own(
    make_rig: MakeRig,
) -> None:
    """A deployment-scope role is created in the nearest deployment that declares it, else in the
    node's own."""
    rig = make_rig(
        shared_by_deployment("dns"), make_role("client", needs=["dns"]), deep=True, nodes=2
    )

    rig.bind("client", nodes=(0, 1))

    assert rig.the("dns", None).deployment_id == rig.deployments[-1]
    assert _edges(rig) == {
        ("dns@-", "client@0", "requires"),
        ("dns@-", "client@1", "requires"),
    }


def test_what_the_node_has_bound_already_provides(make_rig: MakeRig) -> None:
    """provides: satisfies a requirement on another name; a bound provider is taken."""
    rig = make_rig(
        make_role("fast", provides=("ready-bios",), conflicts=("slow",)),
        make_role("slow", provides=("ready-bios",)),
        make_role("last", needs=["ready-bios"]),
    )
    with pytest.raises(Conflict, match="several providers"):
        rig.bind("last")
    assert rig.node_roles() == [], "binding is transactional"

    rig.bind("slow")
    rig.bind("last")

    assert _edges(rig) == {("slow@0", "last@0", "requires")}


def test_conflicting_roles_are_not_bound_to_one_node(make_rig: MakeRig) -> None:
    """conflicts; binding is transactional."""
    rig = make_rig(
        make_role("old"),
        make_role("helper"),
        make_role("new", needs=["helper"], conflicts=("old",)),
        nodes=2,
    )
    rig.bind("old")

    with pytest.raises(Conflict, match="conflicts with old"):
        rig.bind("new")

    assert {it.role for it in rig.node_roles()} == {"old"}
    rig.bind("new", nodes=(1,))


def test_a_cycle_of_needs_is_refused() -> None:
    """Binding ... refuses cycles: no catalog with one can be put in force."""
    with pytest.raises(AnnotationsInvalid, match="cycle"):
        make_catalog(make_role("a", needs=["b"]), make_role("b", needs=["a"]))


def test_a_node_role_is_not_bound_to_a_deployment(make_rig: MakeRig) -> None:
    """scope: node."""
    rig = make_rig(make_role("first"))

    with pytest.raises(Conflict, match="cannot be bound to deployment"):
        rig.commit([Bind(RoleName("first"))])


def test_a_soft_edge_is_added_whichever_is_bound_first(make_rig: MakeRig) -> None:
    """after: only order, if both are bound."""
    rig = make_rig(make_role("before"), make_role("later", after=["before"]))
    rig.bind("later")

    rig.bind("before")

    assert _edges(rig) == {("before@0", "later@0", "after")}


# -- clusters --------------------------------------------------------------------------------------


def test_a_cluster_costs_one_barrier_and_an_edge_a_node(make_rig: MakeRig) -> None:
    """A cluster role costs N+M edges (one barrier vertex), never N*M."""
    rig = make_rig(by_cluster("peers"), make_role("after-all", needs=["peers"]), nodes=4)

    rig.bind("peers", nodes=range(4))
    rig.bind("after-all", nodes=range(4))

    assert len([edge for edge in _edges(rig) if "@-" in edge[0] + edge[1]]) == 8


def test_what_is_behind_the_barrier_waits_for_all_peers(make_rig: MakeRig) -> None:
    """cluster (all-peers barrier)."""
    rig = make_rig(by_cluster("peers"), make_role("after-all", needs=["peers"]), nodes=2)
    rig.bind("peers", "after-all", nodes=(0, 1))

    rig.work("peers", node=0)
    assert not rig.is_given("after-all", 0)
    rig.work("peers", node=1)

    assert rig.is_given("after-all", 0)
    assert rig.is_given("after-all", 1)


def test_peers_are_the_nodes_of_one_deployment(make_rig: MakeRig) -> None:
    """Its peers are the nodes of one deployment that bind it."""
    rig = make_rig(by_cluster("peers"), make_role("after-all", needs=["peers"]), deep=True, nodes=2)
    outside = rig.write(
        lambda tx: tx.add_node(Node(NodeId(0), "outside", rig.deployments[0], uuid="u9"))
    )
    rig.nodes.append(outside.id)
    rig.bind("peers", nodes=(0, 1))
    rig.bind("after-all", nodes=(0,))

    rig.bind("peers", nodes=(2,))
    rig.settle_turns()
    rig.carry_out(rig.message("peers", 0))
    rig.carry_out(rig.message("peers", 1))

    assert rig.is_given("after-all", 0)
    barriers = [it for it in rig.node_roles() if it.role == "peers" and it.node_id is None]
    assert {it.deployment_id for it in barriers} == set(rig.deployments)
    rig.nodes.pop()


def _joined(make_rig: MakeRig) -> Rig:
    """Two members that are settled and a third that joins."""
    rig = make_rig(
        by_cluster("peers", outputs=puts_out("peers").outputs),
        make_role("lists", wants=wants_output("peers", take=Take.ALL)),
        make_role("waits", needs=["peers"]),
        shared_by_deployment("fleet", needs=["peers"]),
        nodes=3,
    )
    rig.bind("peers", "lists", "waits", nodes=(0, 1))
    rig.bind("fleet")
    rig.drain()
    rig.bind("peers", "lists", "waits", nodes=(2,))
    return rig


MEMBERS = [("lists", 0), ("lists", 1), ("waits", 0), ("waits", 1), ("fleet", None)]


def test_members_stay_settled_until_the_newcomer_settles(make_rig: MakeRig) -> None:
    """Members stay settled until the newcomer settles."""
    rig = _joined(make_rig)
    rig.settle_turns()

    assert rig.is_given("peers", 2)
    assert all(rig.the(role, node).is_settled for role, node in MEMBERS)


def test_a_newcomer_in_error_disturbs_no_member(make_rig: MakeRig) -> None:
    """Members stay settled until the newcomer settles."""
    rig = _joined(make_rig)

    rig.let_fail("peers", Refused, 2)
    rig.drain()

    assert rig.state("peers", 2) is ERROR
    assert all(rig.the(role, node).is_settled for role, node in MEMBERS)
    assert rig.states("lists", "waits", node=2) == [BLOCKED, BLOCKED]


def test_when_the_newcomer_has_settled_the_digests_decide(make_rig: MakeRig) -> None:
    """... then their digests decide (membership is in the digest ...): what lists all peers and
    what has no node run again, what only waits does not."""
    rig = _joined(make_rig)
    before = {(role, node): rig.runs(role, node) for role, node in MEMBERS}

    rig.work("peers", node=2)
    rig.drain()

    after = {(role, node): rig.runs(role, node) - before[role, node] for role, node in MEMBERS}
    assert after == {
        ("lists", 0): 1,
        ("lists", 1): 1,
        ("waits", 0): 0,
        ("waits", 1): 0,
        ("fleet", None): 1,
    }
    assert all(rig.the(role, node).is_settled for role, node in MEMBERS)


def test_what_a_newcomer_has_behind_the_barrier_requires_its_own_before_it(
    make_rig: MakeRig,
) -> None:
    """A newcomer's node-roles behind the barrier also require its own before it."""
    rig = _joined(make_rig)
    rig.settle_turns()

    assert ("peers@2", "waits@2", "requires") in _edges(rig)
    assert rig.state("waits", 2) is BLOCKED
    assert not rig.is_given("waits", 2)
    rig.work("peers", node=2)
    assert rig.is_given("waits", 2)


def test_a_node_that_becomes_a_peer_after_what_is_behind_waits_for_its_own(
    make_rig: MakeRig,
) -> None:
    """A newcomer's node-roles behind the barrier also require its own before it, in whatever order
    they were bound."""
    rig = make_rig(by_cluster("peers"), make_role("waits", needs=["peers"]), nodes=2)
    rig.bind("peers", nodes=(0,))
    rig.bind("waits", nodes=(0, 1))
    rig.drain()
    assert rig.the("waits", 1).is_settled

    rig.bind("peers", nodes=(1,))

    assert ("peers@1", "waits@1", "requires") in _edges(rig)
    assert not rig.the("waits", 1).is_settled
    assert rig.the("waits", 0).is_settled
    rig.drain()
    assert rig.the("waits", 1).is_settled


def test_a_member_that_has_joined_counts_like_the_others(make_rig: MakeRig) -> None:
    """Only *until* it settles is a newcomer not counted."""
    rig = make_rig(
        by_cluster("peers", wants=(Want("set/a"),)), make_role("waits", needs=["peers"]), nodes=2
    )
    rig.bind("peers", "waits", nodes=(0,))
    rig.drain()
    rig.bind("peers", nodes=(1,))
    rig.drain()

    rig.commit([rig.setting("set/a", 1, node=1)])

    assert rig.state("peers", 1) is TODO
    assert rig.the("waits", 0).is_stale


def test_leaving_is_told_to_those_whose_digest_it_changes(make_rig: MakeRig) -> None:
    """Joining or leaving is a proposal; their digests decide."""
    rig = _joined(make_rig)
    rig.drain()
    before = {(role, node): rig.runs(role, node) for role, node in MEMBERS}

    rig.commit([Unbind(rig.the(role, 2).id) for role in ("peers", "lists", "waits")])
    rig.drain()

    after = {(role, node): rig.runs(role, node) - before[role, node] for role, node in MEMBERS}
    assert after[("lists", 0)] == after[("lists", 1)] == after[("fleet", None)] == 1
    assert after[("waits", 0)] == after[("waits", 1)] == 0
    assert all(rig.the(role, node).is_settled for role, node in MEMBERS)


def test_leaving_while_members_wait_frees_them(make_rig: MakeRig) -> None:
    """A peer that leaves is waited for no longer."""
    rig = make_rig(by_cluster("peers"), make_role("waits", needs=["peers"]), nodes=2)
    rig.bind("peers", nodes=(0, 1))
    rig.bind("waits", nodes=(0,))
    rig.work("peers", node=0)
    rig.let_fail("peers", Refused, 1)
    assert not rig.is_given("waits")

    rig.unbind("peers", node=1)

    assert rig.is_given("waits")


def test_a_peer_that_leaves_while_its_own_node_needs_it_is_refused(make_rig: MakeRig) -> None:
    """unbind: refused while a committed node-role outside the change needs it."""
    rig = make_rig(by_cluster("peers"), make_role("waits", needs=["peers"]), nodes=2)
    rig.bind("peers", nodes=(0, 1))
    rig.bind("waits", nodes=(0, 1))

    with pytest.raises(Conflict, match="waits"):
        rig.unbind("peers", node=1)


def test_the_barrier_shows_whom_it_waits_for(make_rig: MakeRig) -> None:
    """Blockers: unsettled parent."""
    rig = make_rig(by_cluster("peers"), make_role("waits", needs=["peers"]), nodes=2)
    rig.bind("peers", nodes=(0, 1))
    rig.bind("waits", nodes=(0,))
    rig.work("peers", node=0)
    rig.message("peers", 1)

    (blocker,) = rig.blockers("peers", None)

    assert blocker.kind is BlockerKind.PARENT
    assert blocker.node_role_id == rig.the("peers", 1).id
    assert rig.state("peers", 1) is TRANSITION
    assert rig.state("peers", 0) is ACTIVE
    assert rig.role_of(rig.the("peers", None)).scope is Scope.CLUSTER
