"""What every store promises. A test module derives from these classes and gives the fixture
`rig`."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from readystate.domain.deployment import (
    AttachProfiles,
    AttributeScope,
    Bind,
    ClearAttribute,
    Confirm,
    Proposal,
    ProposalState,
    Recall,
    Recommit,
    SetAttribute,
    Unbind,
    UseCatalog,
)
from readystate.domain.errors import BadRequest, Conflict, NotFound
from readystate.domain.events import Event
from readystate.domain.graph import GIVEN, MISSING, Edge, EdgeKind, Graph, Hold, HoldScope
from readystate.domain.ids import DeploymentId, NodeId, NodeRoleId, RoleName, RunId
from readystate.domain.node import BmcAccess, Epochs, Node
from readystate.domain.node_role import Confirmation, LastError, NodeRole, NodeRoleState
from readystate.domain.role import Lane
from readystate.domain.run import Run, RunKind, RunPhase, StopReason
from readystate.domain.secret import Secret
from readystate.domain.settling import Settling
from readystate.ports.store import (
    AgendaEntry,
    CredentialSet,
    Extent,
    Reader,
    Transaction,
    Unit,
    UnitKind,
)
from tests.protocol.stores import NOW, StoreRig, add_chain, add_node, add_site, hard

LATER = NOW + timedelta(minutes=5)


def node_unit(number: int) -> Unit:
    return Unit(UnitKind.NODE, number)


def vertex_unit(number: int) -> Unit:
    return Unit(UnitKind.VERTEX, number)


def new_run(tx: Transaction, node_role: NodeRole, **changes: object) -> Run:
    run = Run(
        id=tx.new_run_id(),
        kind=RunKind.ROLE,
        node_id=node_role.node_id,
        node_role_id=node_role.id,
        phase=RunPhase.RUNNING,
        lane=Lane.BMC,
        fence=1,
        dispatch=1,
    )
    return replace(run, **changes)


def unit_of(node_role: NodeRole) -> Unit:
    if node_role.node_id is None:
        return vertex_unit(node_role.id)
    return node_unit(node_role.node_id)


def start(tx: Transaction, node_role: NodeRole, **changes: object) -> Run:
    """An open run of the node-role, saved through its working set."""
    graph = tx.load([unit_of(node_role)])
    run = graph.put_run(new_run(tx, node_role, **changes))
    graph.put(replace(graph.node_roles[node_role.id], run_id=run.id))
    tx.save(graph)
    return run


class TransactionContract:
    def test_write_gives_back_what_its_function_returns_and_is_seen_by_readers(
        self, rig: StoreRig
    ) -> None:
        site = rig.store.write(add_site, kind="setup")

        assert "rack-a" == rig.store.read(lambda reader: reader.deployment(site.rack)).name

    def test_what_raises_is_rolled_back_and_raised_to_the_caller(self, rig: StoreRig) -> None:
        def fail(tx: Transaction) -> None:
            add_site(tx)
            raise LookupError("no")

        with pytest.raises(LookupError):
            rig.store.write(fail, kind="setup")

        assert [] == rig.store.read(lambda reader: reader.deployments())
        assert "rack-a" == rig.store.read(
            lambda reader: reader.deployment(rig.store.write(add_site, kind="setup").rack).name
        )

    def test_a_transaction_sees_its_own_writes(self, rig: StoreRig) -> None:
        def change(tx: Transaction) -> str:
            return tx.deployment(add_site(tx).rack).name

        assert "rack-a" == rig.store.write(change, kind="setup")

    def test_a_read_sees_one_snapshot_while_others_write(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")

        def look_twice(reader: Reader) -> tuple[int, int]:
            before = len(reader.nodes())
            rig.store.write(lambda tx: add_node(tx, site, "late"), kind="node")
            return before, len(reader.nodes())

        assert (0, 0) == rig.store.read(look_twice)

    def test_writes_of_many_threads_follow_one_another(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")

        def add_one(tx: Transaction) -> None:
            add_node(tx, site, f"node-{len(tx.nodes())}")

        threads = [
            threading.Thread(target=lambda: rig.store.write(add_one, kind="node")) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        names = [node.name for node in rig.store.read(lambda reader: reader.nodes())]
        assert [f"node-{number}" for number in range(8)] == names

    def test_a_write_within_a_write_is_refused_instead_of_hanging(self, rig: StoreRig) -> None:
        def nested(_tx: Transaction) -> None:
            rig.store.write(add_site, kind="inner")

        with pytest.raises(RuntimeError):
            rig.store.write(nested, kind="outer")

    def test_the_hook_counts_commits_by_kind_and_can_prevent_one(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")
        rig.refuse_commit.append(OSError("power lost"))

        with pytest.raises(OSError, match="power lost"):
            rig.store.write(lambda tx: add_node(tx, site, "lost"), kind="node")
        rig.store.write(lambda tx: add_node(tx, site, "kept"), kind="node")

        expected = [
            ("before", "setup", 1),
            ("after", "setup", 1),
            ("before", "node", 1),
            ("before", "node", 1),
            ("after", "node", 1),
        ]
        assert expected == rig.commits
        assert ["kept"] == [node.name for node in rig.store.read(lambda reader: reader.nodes())]

    def test_callbacks_run_after_the_commit_and_never_after_a_rollback(self, rig: StoreRig) -> None:
        seen: list[int] = []

        def change(tx: Transaction) -> None:
            add_site(tx)
            tx.after_commit(lambda: seen.append(len(rig.store.read(lambda r: r.deployments()))))

        def fail(tx: Transaction) -> None:
            tx.after_commit(lambda: seen.append(-1))
            raise LookupError("no")

        rig.store.write(change, kind="setup")
        with pytest.raises(LookupError):
            rig.store.write(fail, kind="setup")

        assert [2] == seen

    def test_what_was_written_is_there_after_opening_again(self, rig: StoreRig) -> None:
        rig.store.write(add_site, kind="setup")

        assert 2 == len(rig.reopened().read(lambda reader: reader.deployments()))

    def test_close_may_be_asked_for_twice(self, rig: StoreRig) -> None:
        rig.store.close()
        rig.store.close()


class NounContract:
    def test_deployments_are_found_by_name_and_id(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")
        by_name = rig.store.read(lambda reader: reader.deployment("rack-a"))
        by_id = rig.store.read(lambda reader: reader.deployment(site.rack))

        assert by_name == by_id
        assert (site.system, "v1") == (by_id.parent_id, by_id.catalog_version)

    @pytest.mark.parametrize("missing", ["rack-b", DeploymentId(99)])
    def test_unknown_deployment_is_not_found(
        self, rig: StoreRig, missing: str | DeploymentId
    ) -> None:
        with pytest.raises(NotFound, match=str(missing)):
            rig.store.read(lambda reader: reader.deployment(missing))

    def test_a_deployment_name_is_given_once_and_the_transaction_may_go_on(
        self, rig: StoreRig
    ) -> None:
        site = rig.store.write(add_site, kind="setup")

        def again(tx: Transaction) -> None:
            with pytest.raises(Conflict, match="rack-a"):
                tx.add_deployment("rack-a", site.system, "v1")
            tx.add_deployment("rack-b", site.system, "v1")

        rig.store.write(again, kind="setup")
        assert 3 == len(rig.store.read(lambda reader: reader.deployments()))

    def test_a_deployment_needs_a_parent_that_exists(self, rig: StoreRig) -> None:
        def orphan(tx: Transaction) -> None:
            tx.add_catalog("v1", {"roles": ""})
            tx.add_deployment("rack-b", DeploymentId(99), "v1")

        with pytest.raises(NotFound, match="99"):
            rig.store.write(orphan, kind="setup")

    def test_catalogs_are_kept_as_they_were_and_put_in_force(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")
        files = {"roles": "", "ntp.yml": "role: ntp # \N{SNOWMAN}\n"}

        def change(tx: Transaction) -> None:
            tx.add_catalog("v2", files)
            tx.add_catalog("v2", files)
            tx.use_catalog(site.rack, "v2")

        rig.store.write(change, kind="catalog")

        assert files == rig.store.read(lambda reader: reader.catalog_files("v2"))
        assert "v2" == rig.store.read(lambda reader: reader.deployment("rack-a")).catalog_version

    def test_a_catalog_that_was_never_added_cannot_be_read_or_used(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")

        with pytest.raises(NotFound, match="v9"):
            rig.store.read(lambda reader: reader.catalog_files("v9"))
        with pytest.raises(NotFound, match="v9"):
            rig.store.write(lambda tx: tx.use_catalog(site.rack, "v9"), kind="catalog")
        with pytest.raises(NotFound, match="v9"):
            rig.store.write(lambda tx: tx.add_deployment("b", None, "v9"), kind="catalog")
        with pytest.raises(NotFound, match="99"):
            rig.store.write(lambda tx: tx.use_catalog(DeploymentId(99), "v1"), kind="catalog")

    def test_a_node_comes_back_as_it_was(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")
        full = Node(
            id=NodeId(0),
            name="node-1",
            deployment_id=site.rack,
            epochs=Epochs(3, 2, 1),
            is_available=False,
            uuid="4c4c4544-0033",
            serial="ABC\\123",
            vendor='Acme "Servers"',
            model="{R,1}",
            macs=("02:00:00:00:00:02", "02:00:00:00:00:01"),
            bmc=(BmcAccess("redfish", "10.0.0.1", 8443, "site"), BmcAccess("ipmi", "10.0.0.1")),
            admin_address="192.0.2.7",
            ssh_port=2222,
            ssh_host_key="ssh-ed25519 AAAA",
            boot_id="b-1",
            breaker_until=LATER,
            labels={"rack": "a", "u": 7, "odd": "\x00\N{SNOWMAN}"},
        )
        added = rig.store.write(lambda tx: tx.add_node(full), kind="node")
        found = rig.store.read(lambda reader: reader.node("node-1"))

        assert replace(full, id=added.id) == found
        assert found == rig.store.read(lambda reader: reader.node(added.id))

    @pytest.mark.parametrize("missing", ["node-9", NodeId(99)])
    def test_unknown_node_is_not_found(self, rig: StoreRig, missing: str | NodeId) -> None:
        with pytest.raises(NotFound, match=str(missing)):
            rig.store.read(lambda reader: reader.node(missing))

    @pytest.mark.parametrize(
        "same",
        [
            {"name": "node-1"},
            {"uuid": "u-1"},
            {"serial": "s-1"},
            {"macs": ("02:00:00:00:00:09", "02:00:00:00:00:01")},
        ],
    )
    def test_a_second_node_with_the_same_identity_is_refused(
        self, rig: StoreRig, same: dict[str, object]
    ) -> None:
        site = rig.store.write(add_site, kind="setup")
        first = {"uuid": "u-1", "serial": "s-1", "macs": ("02:00:00:00:00:01",)}
        rig.store.write(lambda tx: add_node(tx, site, "node-1", **first), kind="node")

        with pytest.raises(Conflict, match="node-1"):
            rig.store.write(
                lambda tx: tx.add_node(replace(Node(NodeId(0), "node-2", site.rack), **same)),
                kind="node",
            )

    def test_identity_is_looked_up_by_uuid_then_serial_then_any_mac(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")

        def setup(tx: Transaction) -> None:
            add_node(tx, site, "by-uuid", uuid="u-1", serial="s-1")
            add_node(tx, site, "by-serial", serial="s-2")
            add_node(tx, site, "by-mac", macs=("02:00:00:00:00:01", "02:00:00:00:00:02"))

        rig.store.write(setup, kind="node")

        def found(uuid: str | None, serial: str | None, *macs: str) -> str | None:
            node = rig.store.read(
                lambda reader: reader.find_node_by_identity(uuid=uuid, serial=serial, macs=macs)
            )
            return node.name if node else None

        assert "by-uuid" == found("u-1", "s-2", "02:00:00:00:00:02")
        assert "by-serial" == found("u-9", "s-2", "02:00:00:00:00:02")
        assert "by-mac" == found(None, None, "02:00:00:00:00:09", "02:00:00:00:00:02")
        assert found(None, "s-9") is None

    def test_nodes_are_listed_by_deployment_in_pages(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")

        def setup(tx: Transaction) -> list[NodeId]:
            return [add_node(tx, site, f"n{number}").id for number in range(3)]

        ids = rig.store.write(setup, kind="node")
        page = rig.store.read(
            lambda reader: reader.nodes(deployment=site.rack, after=ids[0], limit=1)
        )

        assert ["n1"] == [node.name for node in page]
        assert [] == rig.store.read(lambda reader: reader.nodes(deployment=site.system))
        assert set(ids) == rig.store.read(lambda reader: reader.node_ids_in([site.rack]))
        assert {site.rack} == rig.store.read(lambda reader: reader.deployments_of(ids))

    def test_the_owner_of_a_bmc_address_is_known(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")
        bmc = (BmcAccess("ipmi", "10.0.0.1"),)
        rig.store.write(lambda tx: add_node(tx, site, "n1", bmc=bmc), kind="node")

        owners = rig.store.read(lambda reader: reader.nodes_with_bmc(["10.0.0.1", "10.0.0.2"]))
        assert {"10.0.0.1": "n1"} == owners

    def test_an_address_has_one_holder_and_a_node_keeps_its_own(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")

        def claim(tx: Transaction) -> list[str]:
            one, two = add_node(tx, site, "n1").id, add_node(tx, site, "n2").id
            pool = ["10.0.0.1", "10.0.0.2"]
            first = tx.claim_address("admin", one, pool)
            return [
                first,
                tx.claim_address("admin", two, pool),
                tx.claim_address("admin", one, ["10.0.0.9"]),
                tx.claim_address("bmc", two, pool),
            ]

        assert ["10.0.0.1", "10.0.0.2", "10.0.0.1", "10.0.0.1"] == rig.store.write(
            claim, kind="address"
        )

        def one_more(tx: Transaction) -> None:
            tx.claim_address("admin", add_node(tx, site, "n3").id, ["10.0.0.1", "10.0.0.2"])

        with pytest.raises(Conflict, match="admin"):
            rig.store.write(one_more, kind="address")


class NodeRoleContract:
    def test_node_roles_get_ids_in_order_and_come_back_as_they_were(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")
        bare = NodeRole(NodeRoleId(0), RoleName("one"), site.rack, None)
        full = NodeRole(
            NodeRoleId(0),
            RoleName("two"),
            site.rack,
            None,
            NodeRoleState.ERROR,
            is_stale=False,
            is_stuck=True,
            unmet=2,
            stuck_parents=1,
            digest="abc.reb1",
            outputs='{"a": "\\"\\\\{},\\u0000", "n": 1.0}',
            attempts=3,
            deferrals=4,
            first_started_at=NOW,
            not_before=LATER,
            fence=5,
            confirmation=Confirmation("ada", NOW, "abc@u/s", ("S1", "S2"), wipe_any=True),
            error=LastError("unreachable", 'no "answer"\n', LATER, NOW),
            since=NOW,
            run_id=RunId(6),
        )
        added = rig.store.write(lambda tx: tx.add_node_roles([bare, full]), kind="bind")

        assert added[0].id + 1 == added[1].id
        assert [replace(bare, id=added[0].id), replace(full, id=added[1].id)] == added
        assert added == [
            rig.store.read(lambda reader, item=item.id: reader.node_role(item)) for item in added
        ]

    def test_unknown_node_role_is_not_found(self, rig: StoreRig) -> None:
        with pytest.raises(NotFound, match="99"):
            rig.store.read(lambda reader: reader.node_role(NodeRoleId(99)))

    def test_a_role_is_bound_once_to_a_node_and_once_without_one(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")
        node = rig.store.write(lambda tx: add_node(tx, site, "n1"), kind="node")
        rig.store.write(lambda tx: add_chain(tx, site, node.id, ["a"]), kind="bind")
        rig.store.write(lambda tx: add_chain(tx, site, None, ["a"]), kind="bind")

        with pytest.raises(Conflict, match="already bound"):
            rig.store.write(lambda tx: add_chain(tx, site, node.id, ["a"]), kind="bind")
        with pytest.raises(Conflict, match="already bound"):
            rig.store.write(lambda tx: add_chain(tx, site, None, ["a"]), kind="bind")

    def test_node_roles_are_found_and_listed(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")
        node = rig.store.write(lambda tx: add_node(tx, site, "n1"), kind="node")
        on_node = rig.store.write(lambda tx: add_chain(tx, site, node.id, ["a", "b"]), kind="bind")
        (vertex,) = rig.store.write(lambda tx: add_chain(tx, site, None, ["a"]), kind="bind")

        def look(reader: Reader) -> list[object]:
            place = {"node_id": node.id, "deployment_id": site.rack}
            return [
                reader.find_node_role("b", **place),
                reader.find_node_role("a", node_id=None, deployment_id=site.rack),
                reader.find_node_role("a", node_id=None, deployment_id=site.system),
                reader.node_roles(role="a"),
                reader.node_roles(node_id=node.id, after=on_node[0].id),
                reader.node_roles(deployment_id=site.rack, state="blocked", limit=1),
                reader.node_roles(state="active"),
                reader.vertices([site.rack]),
                reader.node_roles_on([node.id]),
                reader.units_of([on_node[0].id, vertex.id]),
            ]

        expected = [
            on_node[1],
            vertex,
            None,
            [on_node[0], vertex],
            [on_node[1]],
            [on_node[0]],
            [],
            {vertex.id},
            {item.id for item in on_node},
            {on_node[0].id: node_unit(node.id), vertex.id: vertex_unit(vertex.id)},
        ]
        assert expected == rig.store.read(look)

    def test_stale_ones_are_counted_and_listed_apart(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")
        states = [
            (NodeRoleState.ACTIVE, False),
            (NodeRoleState.ACTIVE, True),
            (NodeRoleState.SKIPPED, True),
            (NodeRoleState.ERROR, False),
        ]
        rig.store.write(
            lambda tx: tx.add_node_roles(
                [
                    NodeRole(
                        NodeRoleId(0), RoleName(f"r{place}"), site.rack, None, state, is_stale=stale
                    )
                    for place, (state, stale) in enumerate(states)
                ]
            ),
            kind="bind",
        )

        counts = rig.store.read(lambda reader: reader.state_counts(site.rack))
        assert {"active": 1, "stale": 2, "error": 1} == counts
        assert counts == rig.store.read(lambda reader: reader.state_counts())
        assert {} == rig.store.read(lambda reader: reader.state_counts(site.system))
        listed = rig.store.read(lambda reader: reader.node_roles(state="stale"))
        assert ["r1", "r2"] == [item.role for item in listed]

    def test_edges_know_whether_they_leave_the_unit(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")

        def setup(tx: Transaction) -> tuple[list[Edge], list[Edge]]:
            one, two = add_node(tx, site, "n1"), add_node(tx, site, "n2")
            a, b = add_chain(tx, site, one.id, ["a", "b"])
            c, d = (
                add_chain(tx, site, where, [role])[0]
                for where, role in ((two.id, "c"), (None, "d"))
            )
            cross = [
                hard(b.id, c.id),
                Edge(b.id, d.id, EdgeKind.SOFT, "after"),
                hard(d.id, a.id, is_joining=True),
            ]
            tx.add_edges(cross)
            return [hard(a.id, b.id), *cross], cross

        every, cross = rig.store.write(setup, kind="bind")
        ends = {edge.parent for edge in every}

        def key(edge: Edge) -> tuple[int, int]:
            return edge.child, edge.parent

        found = rig.store.read(lambda reader: reader.cross_edges(ends))
        assert sorted(cross, key=key) == sorted(found, key=key)
        among = rig.store.read(
            lambda reader: reader.edges_among(ends | {edge.child for edge in every})
        )
        assert sorted(every, key=key) == among
        assert [] == rig.store.read(lambda reader: reader.cross_edges([]))

    def test_an_edge_needs_both_its_ends_and_stands_once(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")
        a, b = rig.store.write(lambda tx: add_chain(tx, site, None, ["a", "b"]), kind="bind")

        with pytest.raises(NotFound, match="99"):
            rig.store.write(lambda tx: tx.add_edges([hard(a.id, NodeRoleId(99))]), kind="bind")
        with pytest.raises(Conflict, match="edge"):
            rig.store.write(lambda tx: tx.add_edges([hard(a.id, b.id)]), kind="bind")

        rig.store.write(lambda tx: tx.remove_edges([hard(a.id, b.id)]), kind="unbind")
        rig.store.write(lambda tx: tx.add_edges([hard(a.id, b.id)]), kind="bind")

    def test_counters_move_only_where_nothing_follows_from_it(self, rig: StoreRig) -> None:
        def setup(tx: Transaction) -> dict[NodeRoleId, str]:
            site = add_site(tx)
            node = add_node(tx, site, "n1")
            blocked = NodeRole(
                *(NodeRoleId(0), RoleName("x"), site.rack, node.id, NodeRoleState.BLOCKED),
                unmet=2,
                stuck_parents=1,
            )
            named = {
                "held back by others too": replace(blocked, stuck_parents=2),
                "held back by itself": replace(blocked, is_stuck=True),
                "held back no longer": blocked,
                "unblocked": replace(blocked, unmet=1, is_stuck=True),
                "stale": replace(blocked, state=NodeRoleState.ACTIVE, is_stale=True),
            }
            added = tx.add_node_roles(
                [replace(item, role=RoleName(name)) for name, item in named.items()]
            )
            return {item.id: item.role for item in added}

        names = rig.store.write(setup, kind="setup")
        moved = rig.store.write(
            lambda tx: tx.move_counters(names, unmet=-1, stuck=-1), kind="anneal"
        )

        assert {"held back by others too", "held back by itself"} == {names[it] for it in moved}
        stored = rig.store.read(lambda reader: [reader.node_role(item) for item in names])
        after = {it.role: (it.unmet, it.stuck_parents) for it in stored}
        assert after == {
            "held back by others too": (1, 1),
            "held back by itself": (1, 0),
            "held back no longer": (2, 1),
            "unblocked": (1, 1),
            "stale": (2, 1),
        }

    def test_hard_reach_goes_over_units_and_ignores_soft_edges(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")

        def setup(tx: Transaction) -> list[NodeRoleId]:
            node = add_node(tx, site, "n1")
            a, b = add_chain(tx, site, node.id, ["a", "b"])
            c, d = add_chain(tx, site, None, ["c", "d"])
            (soft,) = add_chain(tx, site, None, ["soft"])
            tx.add_edges([hard(b.id, c.id), Edge(a.id, soft.id, EdgeKind.SOFT, "after")])
            return [item.id for item in (a, b, c, d)]

        a, b, c, d = rig.store.write(setup, kind="bind")

        assert {b, c, d} == rig.store.read(lambda reader: reader.hard_descendants([a]))
        assert {a, b} == rig.store.read(lambda reader: reader.hard_ancestors([c]))
        assert set() == rig.store.read(lambda reader: reader.hard_ancestors([]))

    def test_removal_takes_edges_holds_values_and_agenda_but_leaves_history(
        self, rig: StoreRig
    ) -> None:
        site = rig.store.write(add_site, kind="setup")
        a, b = rig.store.write(lambda tx: add_chain(tx, site, None, ["a", "b"]), kind="bind")

        def fill(tx: Transaction) -> RunId:
            run = start(tx, b, lane=Lane.NONE)
            graph = tx.load([vertex_unit(b.id)])
            graph.put_run(replace(run, phase=RunPhase.DONE))
            tx.save(graph)
            tx.add_hold(Hold(HoldScope.NODE_ROLE, b.id, "ada", NOW))
            tx.set_attribute(AttributeScope.NODE_ROLE, b.id, "x", 1)
            tx.wake_units([vertex_unit(b.id)], NOW)
            tx.append(Event("node-role.bound", NOW, node_role_id=b.id))
            return run.id

        run_id = rig.store.write(fill, kind="fill")
        rig.store.write(lambda tx: tx.remove_node_roles([b.id]), kind="unbind")

        def left(tx: Transaction) -> list[object]:
            layers = tx.attribute_layers(AttributeScope.NODE_ROLE, b.id)
            return [tx.holds(), tx.due(NOW, 9), layers, tx.edges_among([a.id, b.id])]

        assert [[], [], {}, []] == rig.store.write(left, kind="look")
        assert "b" == rig.store.read(lambda reader: reader.run(run_id)).role
        assert 1 == len(rig.store.read(lambda reader: reader.events()))
        (again,) = rig.store.write(lambda tx: add_chain(tx, site, None, ["b"]), kind="bind")
        assert again.id > b.id, "an id is never given twice"


class IntentContract:
    def test_holds_are_put_replaced_and_removed(self, rig: StoreRig) -> None:
        def change(tx: Transaction) -> None:
            tx.add_hold(Hold(HoldScope.EVERYTHING, 0, "ada", NOW, "storm"))
            tx.add_hold(Hold(HoldScope.NODE, 1, "ada", NOW))
            tx.add_hold(Hold(HoldScope.NODE, 1, "bob", LATER))
            tx.remove_hold(HoldScope.EVERYTHING, 0)

        rig.store.write(change, kind="hold")
        expected = [Hold(HoldScope.NODE, 1, "bob", LATER)]
        assert expected == rig.store.read(lambda reader: reader.holds())

    def test_values_are_set_replaced_and_cleared_by_place(self, rig: StoreRig) -> None:
        def change(tx: Transaction) -> None:
            tx.set_attribute(AttributeScope.NODE, 1, "a", [1, {"b": None}])
            tx.set_attribute(AttributeScope.NODE, 1, "gone", 1)
            tx.clear_attribute(AttributeScope.NODE, 1, "gone")
            tx.set_attribute(AttributeScope.PROFILE, 0, "a", 1, profile="big")
            tx.set_attribute(AttributeScope.PROFILE, 0, "a", 2, profile="big")
            tx.set_attribute(AttributeScope.NODE, 2, "secret", Secret("s3cret-value"))

        rig.store.write(change, kind="set")

        def look(reader: Reader) -> list[object]:
            return [
                reader.attribute_layers(AttributeScope.NODE, 1),
                reader.attribute_layers(AttributeScope.PROFILE, 0, profile="big"),
                reader.attribute_layers(AttributeScope.NODE, 2),
                reader.attribute_layers(AttributeScope.DEPLOYMENT, 1),
            ]

        expected = [{"a": [1, {"b": None}]}, {"a": 2}, {"secret": Secret("s3cret-value")}, {}]
        assert expected == rig.store.read(look)

    def test_what_would_read_as_a_sealed_secret_is_refused(self, rig: StoreRig) -> None:
        with pytest.raises(BadRequest, match="sealed"):
            rig.store.write(
                lambda tx: tx.set_attribute(AttributeScope.NODE, 1, "a", [{"$sealed": "x"}]),
                kind="set",
            )

    def test_profiles_are_attached_in_order_and_replaced(self, rig: StoreRig) -> None:
        def change(tx: Transaction) -> None:
            tx.attach_profiles(AttributeScope.NODE, 1, ["b", "a"])
            tx.attach_profiles(AttributeScope.NODE, 1, ["c", "b", "a"])
            tx.attach_profiles(AttributeScope.DEPLOYMENT, 1, ["a"])
            tx.attach_profiles(AttributeScope.DEPLOYMENT, 1, [])

        rig.store.write(change, kind="attach")
        found = rig.store.read(lambda reader: reader.profiles_of(AttributeScope.NODE, 1))
        assert ("c", "b", "a") == found
        places = rig.store.read(lambda reader: reader.attached_to("a"))
        assert [(AttributeScope.NODE, 1)] == places

    def test_a_proposal_comes_back_with_every_kind_of_change(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")
        changes = (
            Bind(RoleName("a"), NodeId(1)),
            Bind(RoleName("b")),
            Unbind(NodeRoleId(1)),
            Recall(NodeRoleId(2)),
            Recommit(NodeRoleId(3)),
            SetAttribute(AttributeScope.PROFILE, 0, "x", {"deep": [1]}, profile="big"),
            SetAttribute(AttributeScope.NODE, 1, "password", Secret("s3cret-value")),
            ClearAttribute(AttributeScope.NODE, 1, "x"),
            AttachProfiles(AttributeScope.NODE, 1, ("big", "fast")),
            Confirm(NodeRoleId(4)),
            UseCatalog("v1"),
        )
        given = Proposal(0, site.rack, "all of it", changes, ProposalState.OPEN, "ada", NOW)
        added = rig.store.write(lambda tx: tx.add_proposal(given), kind="propose")

        assert replace(given, id=added.id) == added
        assert added == rig.store.read(lambda reader: reader.proposal(added.id))

        done = replace(
            added,
            state=ProposalState.COMMITTED,
            committed_at=LATER,
            wipe_any=True,
            plan={"destroys": ["node-1"]},
        )
        rig.store.write(lambda tx: tx.save_proposal(done), kind="commit")
        assert [done] == rig.store.read(lambda reader: reader.proposals(deployment_id=site.rack))
        assert [done] == rig.store.read(lambda reader: reader.proposals())
        assert [] == rig.store.read(lambda reader: reader.proposals(deployment_id=site.system))

    def test_unknown_proposal_is_not_found_and_not_saved(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")
        lost = Proposal(99, site.rack, "", (), ProposalState.OPEN, "ada", NOW)

        with pytest.raises(NotFound, match="99"):
            rig.store.read(lambda reader: reader.proposal(99))
        with pytest.raises(NotFound, match="99"):
            rig.store.write(lambda tx: tx.save_proposal(lost), kind="commit")

    def test_credentials_come_nearest_first_then_by_position(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")

        def put(tx: Transaction) -> None:
            for name, where, position in (
                ("far", site.system, 0),
                ("second", site.rack, 2),
                ("first", site.rack, 1),
            ):
                tx.put_credentials(CredentialSet(name, where, "root", Secret("old"), position))
            tx.put_credentials(CredentialSet("far", site.system, "admin", Secret("new"), 0))

        rig.store.write(put, kind="credentials")
        found = rig.store.read(lambda reader: reader.credentials(site.rack))

        assert ["first", "second", "far"] == [item.name for item in found]
        assert ("admin", "new") == (found[2].username, found[2].password.reveal())
        assert ["far"] == [
            item.name for item in rig.store.read(lambda reader: reader.credentials(site.system))
        ]
        with pytest.raises(NotFound, match="99"):
            rig.store.read(lambda reader: reader.credentials(DeploymentId(99)))

    def test_documents_are_kept_by_kind_and_key(self, rig: StoreRig) -> None:
        def change(tx: Transaction) -> None:
            tx.put_document("boot-plan", "1", {"generation": 1, "token": Secret("s3cret-value")})
            tx.put_document("boot-plan", "2", {})
            tx.put_document("boot-plan", "2", {"generation": 2})
            tx.put_document("boot-plan", "3", {})
            tx.remove_document("boot-plan", "3")

        rig.store.write(change, kind="document")

        expected = {"1": {"generation": 1, "token": Secret("s3cret-value")}, "2": {"generation": 2}}
        assert expected == rig.store.read(lambda reader: reader.documents("boot-plan"))
        assert expected["2"] == rig.store.read(lambda reader: reader.document("boot-plan", "2"))
        assert rig.store.read(lambda reader: reader.document("boot-plan", "3")) is None
        assert {} == rig.store.read(lambda reader: reader.documents("sighting"))


class HistoryContract:
    def test_events_are_read_in_order_by_page_kind_and_node(self, rig: StoreRig) -> None:
        full = Event("b", LATER, 1, 2, 3, 4, "ada", 5, {"why": ['"', None], "secret": Secret("x")})

        def append(tx: Transaction) -> list[int]:
            return [tx.append(item) for item in (Event("a", NOW), full, Event("a", NOW, node_id=1))]

        ids = rig.store.write(append, kind="event")

        def look(reader: Reader) -> list[object]:
            return [
                [number for number, _ in reader.events()],
                [number for number, _ in reader.events(after=ids[0], limit=1)],
                [number for number, _ in reader.events(kinds=["a", "c"])],
                [number for number, _ in reader.events(node_id=1)],
                reader.last_event_id(),
                reader.events(after=ids[0], limit=1)[0][1],
            ]

        told = replace(full, data={"why": ['"', None], "secret": "***"})
        expected = [ids, [ids[1]], [ids[0], ids[2]], ids[1:], ids[2], told]
        assert expected == rig.store.read(look)
        assert sorted(ids) == ids

    def test_last_event_of_none_is_zero(self, rig: StoreRig) -> None:
        assert 0 == rig.store.read(lambda reader: reader.last_event_id())

    def test_a_run_is_told_with_names_input_and_outcome(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")
        node = rig.store.write(lambda tx: add_node(tx, site, "n1"), kind="node")
        (item,) = rig.store.write(lambda tx: add_chain(tx, site, node.id, ["worker"]), kind="bind")

        def change(tx: Transaction) -> Run:
            graph = tx.load([node_unit(node.id)])
            run = graph.put_run(
                new_run(
                    tx,
                    item,
                    digest="d",
                    lease_until=LATER,
                    owner="engine-1",
                    started_at=NOW,
                    effect_recorded=True,
                    wake="installer",
                    wake_deadline=LATER,
                    stop_reason=StopReason.LOST,
                    not_before=LATER,
                    action="off",
                    by="ada",
                    progress="half",
                )
            )
            tx.record_input(run.id, {"a": 1, "password": Secret("s3cret-value")})
            tx.save(graph)
            return run

        run = rig.store.write(change, kind="start")
        open_one = rig.store.read(lambda reader: reader.run(run.id))
        assert (run, "worker", "n1", "", None) == (
            open_one.run,
            open_one.role,
            open_one.node,
            open_one.outcome,
            open_one.finished_at,
        )
        assert {"a": 1, "password": "***"} == open_one.input

        def end(tx: Transaction) -> None:
            tx.record_outcome(
                run.id,
                outcome="failed",
                error_family="busy",
                error_message="not now",
                hammers=["ipmi"],
                at=LATER,
            )
            graph = tx.load([node_unit(node.id)])
            graph.put_run(replace(run, phase=RunPhase.DONE))
            tx.save(graph)

        rig.store.write(end, kind="end")
        done = rig.store.read(lambda reader: reader.run(run.id))
        assert ("failed", "busy", "not now", ("ipmi",), LATER) == (
            done.outcome,
            done.error_family,
            done.error_message,
            done.hammers,
            done.finished_at,
        )

    def test_whatever_hardware_says_can_be_recorded(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")
        odd = "zero \x00, broken \udc80, snow \N{SNOWMAN}"
        told = "zero \N{REPLACEMENT CHARACTER}, broken ?, snow \N{SNOWMAN}"

        def change(tx: Transaction) -> RunId:
            node = add_node(tx, site, "n1", vendor=odd, model=odd, labels={"says": odd})
            (item,) = add_chain(tx, site, node.id, ["worker"])
            run = start(tx, item, progress=odd)
            tx.record_outcome(
                run.id, outcome="failed", error_family="", error_message=odd, hammers=[odd], at=NOW
            )
            tx.append(Event("a", NOW, data={"says": odd}))
            return run.id

        run_id = rig.store.write(change, kind="odd")
        record = rig.store.read(lambda reader: reader.run(run_id))
        node = rig.store.read(lambda reader: reader.node("n1"))
        (_, event) = rig.store.read(lambda reader: reader.events())[-1]

        assert (told, told, (odd,)) == (record.run.progress, record.error_message, record.hammers)
        assert (told, told, {"says": odd}) == (node.vendor, node.model, node.labels)
        assert {"says": odd} == event.data

    def test_runs_are_listed_newest_first(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")
        a, b = rig.store.write(lambda tx: add_chain(tx, site, None, ["a", "b"]), kind="bind")
        one = rig.store.write(lambda tx: start(tx, a, phase=RunPhase.DONE), kind="start")
        two = rig.store.write(lambda tx: start(tx, b, lane=Lane.NONE), kind="start")

        def ids(**filters: object) -> list[int]:
            records = rig.store.read(lambda reader: reader.runs(**filters))
            return [record.run.id for record in records]

        assert [two.id, one.id] == ids()
        assert [two.id] == ids(limit=1)
        assert [one.id] == ids(before=two.id)
        assert [one.id] == ids(node_role_id=a.id)
        assert [two.id] == ids(open_only=True)
        assert [] == ids(node_id=NodeId(1))

    def test_unknown_run_is_not_found_and_has_no_outcome(self, rig: StoreRig) -> None:
        with pytest.raises(NotFound, match="99"):
            rig.store.read(lambda reader: reader.run(RunId(99)))
        with pytest.raises(NotFound, match="99"):
            rig.store.write(
                lambda tx: tx.record_outcome(
                    RunId(99),
                    outcome="failed",
                    error_family="",
                    error_message="",
                    hammers=(),
                    at=NOW,
                ),
                kind="end",
            )

    def test_instants_of_any_zone_come_back_in_utc(self, rig: StoreRig) -> None:
        berlin = NOW.astimezone(timezone(timedelta(hours=2)))
        rig.store.write(lambda tx: tx.append(Event("a", berlin)), kind="event")

        (_, event), *_ = rig.store.read(lambda reader: reader.events())
        assert (NOW, UTC) == (event.at, event.at.tzinfo)

    def test_an_instant_without_zone_is_refused(self, rig: StoreRig) -> None:
        naive = datetime(2026, 1, 1)  # noqa: DTZ001 -- what is to be refused

        with pytest.raises(ValueError, match="time zone"):
            rig.store.write(lambda tx: tx.append(Event("a", naive)), kind="event")


class AgendaContract:
    def test_due_units_come_oldest_first_and_only_when_their_time_has_come(
        self, rig: StoreRig
    ) -> None:
        entries = [
            AgendaEntry(node_unit(1), NOW),
            AgendaEntry(vertex_unit(1), NOW - timedelta(seconds=1)),
            AgendaEntry(node_unit(2), LATER),
            AgendaEntry(node_unit(3), NOW, "workers"),
        ]
        rig.store.write(lambda tx: tx.schedule(entries), kind="agenda")

        assert [entries[1], entries[0]] == rig.store.write(lambda tx: tx.due(NOW, 9), kind="look")
        assert [entries[1]] == rig.store.write(lambda tx: tx.due(NOW, 1), kind="look")
        assert [entries[3]] == rig.store.write(
            lambda tx: tx.waiting_for_gate("workers", 9), kind="look"
        )
        assert [] == rig.store.write(lambda tx: tx.waiting_for_gate("bmc", 9), kind="look")
        assert NOW - timedelta(seconds=1) == rig.store.write(lambda tx: tx.next_due(), kind="look")

    def test_schedule_replaces_and_drop_removes(self, rig: StoreRig) -> None:
        def change(tx: Transaction) -> None:
            tx.schedule([AgendaEntry(node_unit(1), NOW), AgendaEntry(node_unit(2), NOW)])
            tx.schedule([AgendaEntry(node_unit(1), LATER)])
            tx.drop_from_agenda([node_unit(2), node_unit(9)])

        rig.store.write(change, kind="agenda")
        assert [AgendaEntry(node_unit(1), LATER)] == rig.store.write(
            lambda tx: tx.due(LATER, 9), kind="look"
        )

    def test_waking_never_makes_a_unit_wait_longer(self, rig: StoreRig) -> None:
        def change(tx: Transaction) -> None:
            tx.schedule(
                [
                    AgendaEntry(node_unit(1), NOW),
                    AgendaEntry(node_unit(2), LATER + timedelta(hours=1)),
                    AgendaEntry(node_unit(3), NOW, "workers"),
                ]
            )
            tx.wake_units([node_unit(number) for number in (1, 2, 3, 4, 4)], LATER)

        rig.store.write(change, kind="agenda")
        expected = [AgendaEntry(node_unit(1), NOW)] + [
            AgendaEntry(node_unit(number), LATER) for number in (2, 3, 4)
        ]
        assert expected == rig.store.write(lambda tx: tx.due(LATER, 9), kind="look")

    def test_nothing_is_due_on_an_empty_agenda(self, rig: StoreRig) -> None:
        assert rig.store.write(lambda tx: tx.next_due(), kind="look") is None
        assert [] == rig.store.write(lambda tx: tx.due(NOW, 9), kind="look")

    def test_runs_with_a_worker_are_counted(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")
        chain = rig.store.write(
            lambda tx: add_chain(tx, site, None, ["a", "b", "c", "d", "e"]), kind="bind"
        )
        between_two_tries = (RunPhase.STOPPING, None)
        given = (
            (RunPhase.RUNNING, LATER),
            (RunPhase.STOPPING, LATER),
            (RunPhase.PENDING, None),
            (RunPhase.DONE, None),
            between_two_tries,
        )

        def run_them(tx: Transaction) -> None:
            for item, (phase, lease) in zip(chain, given, strict=True):
                start(tx, item, phase=phase, lane=Lane.NONE, lease_until=lease)

        rig.store.write(run_them, kind="start")
        assert 2 == rig.store.write(lambda tx: tx.working_runs(), kind="look")

    def test_leases_of_other_engines_end_and_their_units_become_due(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")
        a, b = rig.store.write(lambda tx: add_chain(tx, site, None, ["a", "b"]), kind="bind")
        far = LATER + timedelta(hours=1)

        def run_both(tx: Transaction) -> tuple[Run, Run]:
            return (
                start(tx, a, lane=Lane.NONE, owner="old", lease_until=LATER),
                start(tx, b, lane=Lane.NONE, owner="new", lease_until=LATER),
            )

        old, new = rig.store.write(run_both, kind="start")
        rig.store.write(lambda tx: tx.void_leases("new", NOW), kind="begin")
        rig.store.write(lambda tx: tx.renew_leases("new", [old.id, new.id], far), kind="renew")

        def lease(run: Run) -> datetime | None:
            return rig.store.read(lambda reader: reader.run(run.id)).run.lease_until

        assert (NOW, far) == (lease(old), lease(new))
        due = rig.store.write(lambda tx: tx.due(NOW, 9), kind="look")
        assert [AgendaEntry(vertex_unit(a.id), NOW)] == due


class WorkingSetContract:
    def test_load_gives_the_unit_in_focus_and_parents_outside_as_they_are(
        self, rig: StoreRig
    ) -> None:
        site = rig.store.write(add_site, kind="setup")

        def setup(tx: Transaction) -> tuple[Node, Node, list[NodeRole]]:
            one, two = add_node(tx, site, "n1"), add_node(tx, site, "n2", epochs=Epochs(1, 2, 3))
            a, b = add_chain(tx, site, one.id, ["a", "b"])
            (c,) = add_chain(tx, site, two.id, ["c"])
            (far,) = add_chain(tx, site, None, ["far"])
            tx.add_edges(
                [hard(c.id, a.id), hard(far.id, c.id), hard(b.id, far.id, is_joining=True)]
            )
            tx.add_hold(Hold(HoldScope.NODE, one.id, "ada", NOW))
            return one, two, [a, b, c, far]

        one, two, (a, b, c, far) = rig.store.write(setup, kind="bind")
        graph = rig.store.read(lambda reader: reader.load([node_unit(one.id)]))

        assert {a.id, b.id} == graph.focus
        assert {a.id: a, b.id: b, c.id: c} == graph.node_roles
        assert {one.id: one, two.id: two} == graph.nodes
        assert [a.id, b.id] == graph.on_node[one.id]
        assert {b.id: [hard(a.id, b.id)], a.id: [hard(c.id, a.id)]} == dict(graph.parents)
        assert (site.rack, site.system) == graph.ancestry[site.rack]
        assert "ada" == graph.hold_on(graph.node_roles[a.id]).by
        assert far.id not in graph.node_roles

    def test_a_vertex_in_focus_has_its_parents_and_their_nodes(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")

        def setup(tx: Transaction) -> tuple[NodeRole, NodeRole, Node]:
            node = add_node(tx, site, "n1")
            (peer,) = add_chain(tx, site, node.id, ["clustered"])
            (barrier,) = add_chain(tx, site, None, ["clustered"])
            tx.add_edges([hard(peer.id, barrier.id, reason="cluster")])
            return peer, barrier, node

        peer, barrier, node = rig.store.write(setup, kind="bind")
        graph = rig.store.read(lambda reader: reader.load([vertex_unit(barrier.id)]))

        assert ({barrier.id}, {node.id}) == (graph.focus, set(graph.nodes))
        assert [peer] == list(graph.hard_parents(barrier.id))
        assert graph.is_barrier(barrier)

    def test_a_want_through_a_barrier_brings_the_peers_but_no_child_to_carry_on_to(
        self, rig: StoreRig
    ) -> None:
        site = rig.store.write(add_site, kind="setup")

        def setup(tx: Transaction) -> tuple[Node, NodeRole, list[NodeRole], NodeRole]:
            nodes = [add_node(tx, site, f"n{number}") for number in range(3)]
            peers = [add_chain(tx, site, node.id, ["clustered"])[0] for node in nodes]
            (barrier,) = add_chain(tx, site, None, ["clustered"])
            readers = [add_chain(tx, site, node.id, ["reader"])[0] for node in nodes[:1]]
            (other,) = add_chain(tx, site, nodes[1].id, ["other"])
            tx.add_edges([hard(peer.id, barrier.id, reason="cluster") for peer in peers])
            tx.add_edges([hard(barrier.id, child.id) for child in (*readers, other)])
            return nodes[0], barrier, peers, other

        node, barrier, peers, other = rig.store.write(setup, kind="bind")
        graph = rig.store.read(lambda reader: reader.load([node_unit(node.id)]))

        assert {item.id for item in peers} == {x.id for x in graph.hard_parents(barrier.id)}
        assert 3 == len(graph.nodes)
        # The barrier is another unit: what becomes of a peer is counted there, and only once.
        assert [] == graph.children[peers[0].id]

        without = rig.store.read(lambda reader: reader.load([node_unit(other.node_id or 0)]))
        assert [] == list(without.hard_parents(barrier.id))

    def test_load_brings_open_runs_and_their_wakes_and_only_them(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")
        node = rig.store.write(lambda tx: add_node(tx, site, "n1"), kind="node")
        (item,) = rig.store.write(lambda tx: add_chain(tx, site, node.id, ["worker"]), kind="bind")

        def setup(tx: Transaction) -> Run:
            start(tx, item, phase=RunPhase.DONE)
            run = start(tx, item, phase=RunPhase.PENDING, wake="installer")
            tx.add_wake(run.id, "installer", {"at": 1}, NOW)
            tx.add_wake(run.id, "installer", {"at": 2}, LATER)
            return run

        run = rig.store.write(setup, kind="start")
        graph = rig.store.read(lambda reader: reader.load([node_unit(node.id)]))

        assert {run.id: run} == graph.runs
        assert {(run.id, "installer"): {"at": 2}} == graph.wakes
        assert run == graph.run_of(graph.node_roles[item.id])

        def consume(tx: Transaction) -> None:
            mine = tx.load([node_unit(node.id)])
            mine.consumed_wakes.append((run.id, "installer"))
            tx.save(mine)

        rig.store.write(consume, kind="wake")
        assert {} == rig.store.read(lambda reader: reader.load([node_unit(node.id)])).wakes

    def test_the_wake_that_a_worker_was_given_is_kept_until_it_is_forgotten(
        self, rig: StoreRig
    ) -> None:
        site = rig.store.write(add_site, kind="setup")
        node = rig.store.write(lambda tx: add_node(tx, site, "n1"), kind="node")
        (item,) = rig.store.write(lambda tx: add_chain(tx, site, node.id, ["worker"]), kind="bind")
        run = rig.store.write(
            lambda tx: start(tx, item, phase=RunPhase.PENDING, wake="installer"), kind="start"
        )

        def give(tx: Transaction) -> None:
            graph = tx.load([node_unit(node.id)])
            graph.given_wakes[run.id] = {"at": 1}
            graph.newly_given.append((run.id, NOW))
            graph.consumed_wakes += [(run.id, "installer"), (run.id, GIVEN)]
            tx.save(graph)

        def forget(tx: Transaction) -> None:
            graph = tx.load([node_unit(node.id)])
            graph.consumed_wakes.append((run.id, GIVEN))
            tx.save(graph)

        rig.store.write(give, kind="wake")
        graph = rig.store.read(lambda reader: reader.load([node_unit(node.id)]))
        assert ({}, {run.id: {"at": 1}}) == (graph.wakes, graph.given_wakes)
        rig.store.write(forget, kind="wake")
        graph = rig.store.read(lambda reader: reader.load([node_unit(node.id)]))
        assert {} == graph.given_wakes

    def test_only_what_is_asked_for_is_in_focus(self, rig: StoreRig) -> None:
        def setup(tx: Transaction) -> tuple[NodeId, list[NodeRoleId]]:
            site = add_site(tx)
            node = add_node(tx, site, "n1")
            chain = add_chain(tx, site, node.id, ["settled", "stale", "blocked"])
            graph = tx.load([node_unit(node.id)])
            for item, is_stale in ((chain[0], False), (chain[1], True)):
                graph.put(replace(item, state=NodeRoleState.ACTIVE, is_stale=is_stale))
            tx.save(graph)
            return node.id, [item.id for item in chain]

        node_id, (settled, stale, blocked) = rig.store.write(setup, kind="setup")

        def load(extent: Extent) -> Graph:
            return rig.store.read(lambda reader: reader.load([node_unit(node_id)], extent))

        assert {settled, stale, blocked} == load(Extent.WHOLE).focus
        unsettled = load(Extent.UNSETTLED)
        assert {stale, blocked} == unsettled.focus
        assert settled in unsettled.node_roles, "a parent of what is in focus"
        assert [] == list(load(Extent.NONE).node_roles)
        assert node_id in load(Extent.NONE).nodes

    def test_a_node_without_node_roles_and_units_that_are_gone_can_be_loaded(
        self, rig: StoreRig
    ) -> None:
        site = rig.store.write(add_site, kind="setup")
        node = rig.store.write(lambda tx: add_node(tx, site, "n1"), kind="node")
        units = [node_unit(node.id), node_unit(99), vertex_unit(99)]
        graph = rig.store.read(lambda reader: reader.load(units))

        assert ({node.id: node}, set()) == (graph.nodes, graph.focus)
        assert {} == rig.store.read(lambda reader: reader.load([])).node_roles

    def test_outputs_are_parsed_when_read(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")
        item = NodeRole(NodeRoleId(0), RoleName("a"), site.rack, None, outputs='{"x/y": [1]}')
        (item,) = rig.store.write(lambda tx: tx.add_node_roles([item]), kind="bind")
        graph = rig.store.read(lambda reader: reader.load([vertex_unit(item.id)]))

        assert {"x/y": [1]} == graph.read_outputs(item)

    def test_values_are_resolved_by_layer_and_secrets_stay_secrets(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")
        node = rig.store.write(lambda tx: add_node(tx, site, "n1"), kind="node")
        (item,) = rig.store.write(lambda tx: add_chain(tx, site, node.id, ["a"]), kind="bind")

        def value(name: str = "ntp/servers") -> object:
            graph = rig.store.read(lambda reader: reader.load([node_unit(node.id)]))
            return graph.values.value(graph.node_roles[item.id], name)

        assert ["pool"] == value()
        assert MISSING is value("root/password")
        for scope, subject, profile in (
            (AttributeScope.PROFILE, 0, "weak"),
            (AttributeScope.PROFILE, 0, "strong"),
            (AttributeScope.DEPLOYMENT, site.system, ""),
            (AttributeScope.DEPLOYMENT, site.rack, ""),
            (AttributeScope.NODE, node.id, ""),
            (AttributeScope.NODE_ROLE, item.id, ""),
        ):
            new = [f"{scope} {profile or subject}"]

            def change(tx: Transaction) -> None:
                tx.set_attribute(scope, subject, "ntp/servers", new, profile=profile)  # noqa: B023
                tx.attach_profiles(AttributeScope.NODE, node.id, ["weak", "strong"])

            rig.store.write(change, kind="set")
            assert new == value()

        rig.store.write(
            lambda tx: tx.set_attribute(
                AttributeScope.NODE, node.id, "root/password", Secret("s3cret-value")
            ),
            kind="set",
        )
        assert Secret("s3cret-value") == value("root/password")

    def test_values_of_a_working_set_can_be_tried_without_touching_the_store(
        self, rig: StoreRig
    ) -> None:
        site = rig.store.write(add_site, kind="setup")
        node = rig.store.write(lambda tx: add_node(tx, site, "n1"), kind="node")
        (item,) = rig.store.write(lambda tx: add_chain(tx, site, node.id, ["a"]), kind="bind")
        rig.store.write(
            lambda tx: tx.set_attribute(AttributeScope.PROFILE, 0, "a", 1, profile="spare"),
            kind="set",
        )
        graph = rig.store.read(lambda reader: reader.load([node_unit(node.id)]))
        values = graph.values

        values.attach_profiles(AttributeScope.NODE, node.id, ("spare",))
        assert 1 == values.value(item, "a")
        values.set_value(AttributeScope.NODE, node.id, "a", 2)
        assert 2 == values.value(item, "a")
        values.clear_value(AttributeScope.NODE, node.id, "a")
        assert 1 == values.value(item, "a")
        assert () == rig.store.read(lambda reader: reader.profiles_of(AttributeScope.NODE, node.id))

    def test_save_writes_what_the_rules_changed_and_its_events(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")
        node = rig.store.write(lambda tx: add_node(tx, site, "n1"), kind="node")
        chain = rig.store.write(
            lambda tx: add_chain(tx, site, node.id, ["a", "b", "c"]), kind="bind"
        )

        def settle(tx: Transaction) -> Graph:
            graph = tx.load([node_unit(node.id)])
            Settling(graph, NOW, inline=True).run([chain[0].id])
            graph.put_node(replace(graph.nodes[node.id], macs=("02:00:00:00:00:07",), boot_id="b"))
            graph.new_holds.append(Hold(HoldScope.NODE, node.id, "ada", NOW))
            graph.events += [Event("settled", NOW), Event("told", NOW)]
            tx.save(graph)
            return graph

        graph = rig.store.write(settle, kind="anneal")
        again = rig.store.read(lambda reader: reader.load([node_unit(node.id)]))

        assert {"active": 3} == rig.store.read(lambda reader: reader.state_counts())
        assert (graph.node_roles, graph.nodes) == (again.node_roles, again.nodes)
        assert [(HoldScope.NODE, node.id)] == list(again.holds)
        kinds = [event.kind for _, event in rig.store.read(lambda reader: reader.events())]
        assert ["settled", "told"] == kinds

    def test_a_newcomers_edge_counts_from_its_joining_on(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")

        def setup(tx: Transaction) -> list[NodeRole]:
            a, b = add_chain(tx, site, None, ["a", "b"])
            (new,) = add_chain(tx, site, None, ["new"])
            tx.add_edges([hard(new.id, b.id, is_joining=True)])
            return [a, b, new]

        _, b, new = rig.store.write(setup, kind="bind")

        def join(tx: Transaction) -> None:
            graph = tx.load([vertex_unit(b.id)])
            (edge,) = [edge for edge in graph.parents[b.id] if edge.is_joining]
            graph.join(edge)
            tx.save(graph)

        rig.store.write(join, kind="anneal")
        graph = rig.store.read(lambda reader: reader.load([vertex_unit(b.id)]))
        assert hard(new.id, b.id) in graph.parents[b.id]

    def test_lanes_are_kept_equal_to_what_open_runs_occupy(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")
        node = rig.store.write(lambda tx: add_node(tx, site, "n1"), kind="node")
        one, two = rig.store.write(lambda tx: add_chain(tx, site, node.id, ["a", "b"]), kind="bind")
        first = rig.store.write(lambda tx: start(tx, one, lane=Lane.BOTH), kind="start")

        with pytest.raises(Conflict, match="lane"):
            rig.store.write(lambda tx: start(tx, two, lane=Lane.OS), kind="start")

        def stage(tx: Transaction) -> None:
            graph = tx.load([node_unit(node.id)])
            graph.put_run(replace(first, phase=RunPhase.STAGED))
            tx.save(graph)

        rig.store.write(stage, kind="stage")
        rig.store.write(lambda tx: start(tx, two, lane=Lane.OS), kind="start")

        def verify(tx: Transaction) -> None:
            graph = tx.load([node_unit(node.id)])
            graph.put_run(replace(graph.runs[first.id], phase=RunPhase.VERIFYING))
            tx.save(graph)

        with pytest.raises(Conflict, match="lane"):
            rig.store.write(verify, kind="verify")

    def test_lanes_change_hands_within_one_save(self, rig: StoreRig) -> None:
        site = rig.store.write(add_site, kind="setup")
        node = rig.store.write(lambda tx: add_node(tx, site, "n1"), kind="node")
        one, two = rig.store.write(lambda tx: add_chain(tx, site, node.id, ["a", "b"]), kind="bind")
        first = rig.store.write(lambda tx: start(tx, one), kind="start")

        def hand_over(tx: Transaction) -> None:
            graph = tx.load([node_unit(node.id)])
            graph.put_run(new_run(tx, two))
            graph.put_run(replace(first, phase=RunPhase.DONE))
            tx.save(graph)

        rig.store.write(hand_over, kind="anneal")
        assert 1 == len(rig.store.read(lambda reader: reader.runs(open_only=True)))

    def test_the_reconciler_finds_counters_that_do_not_agree_with_edges(
        self, rig: StoreRig
    ) -> None:
        site = rig.store.write(add_site, kind="setup")
        chain = rig.store.write(lambda tx: add_chain(tx, site, None, ["a", "b", "c"]), kind="bind")
        assert [] == rig.store.read(lambda reader: reader.compare_counters())

        def spoil(tx: Transaction) -> None:
            graph = tx.load([vertex_unit(item.id) for item in chain])
            graph.put(replace(chain[1], unmet=2))
            graph.put(replace(chain[2], stuck_parents=1))
            tx.save(graph)

        rig.store.write(spoil, kind="anneal")
        wrong = rig.store.read(lambda reader: reader.compare_counters())
        assert [f"node-role {chain[1].id}", f"node-role {chain[2].id}"] == [
            sentence.partition(" (")[0] for sentence in wrong
        ]
        assert "2 unmet parents counted, 1 by its edges" in wrong[0]


class StoreContract(
    TransactionContract,
    NounContract,
    NodeRoleContract,
    IntentContract,
    HistoryContract,
    AgendaContract,
    WorkingSetContract,
):
    """All of it."""
