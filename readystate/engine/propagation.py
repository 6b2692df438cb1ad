"""Carry a change through the graph in one transaction: load what changed, let the rules run, save,
and go on to the units that the change reaches, until nothing more follows.

Every use case that changes state goes through here, so a blocked node-role with nothing unmet never
survives a commit and the counters never need a second look."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from readystate.domain.events import Event
from readystate.domain.graph import EdgeKind, Graph
from readystate.domain.ids import NodeRoleId
from readystate.domain.node_role import NodeRole, NodeRoleState
from readystate.domain.settling import News, Settling
from readystate.ports.store import Extent, Transaction, Unit, UnitKind

#: Units in one working set: bounds memory, not the size of a change.
CHUNK = 500

#: Changes a freshly loaded working set; returns the node-roles to look at.
Mutation = Callable[[Graph], Iterable[NodeRoleId]]


def look_at_all(graph: Graph) -> Iterable[NodeRoleId]:
    """The mutation that changes nothing but looks at every node-role in focus."""
    return tuple(graph.focus)


@dataclass
class Propagation:
    tx: Transaction
    now: datetime
    inline: bool = False  #: also settle what needs no work (the annealer's turn does)
    after_settling: Callable[[Graph, Collection[Unit]], None] | None = None
    actor: str = "engine"
    is_quiet: bool = False  #: units where no node-role changes are not made due
    reached: set[Unit] = field(default_factory=set)

    def carry(
        self,
        units: Collection[Unit],
        mutation: Mutation | None = None,
        extent: Extent = Extent.WHOLE,
    ) -> set[Unit]:
        """Apply `mutation` to the working set of `units` and everything that follows from it. What
        is told to other units may concern all of their node-roles; `extent` is of `units` alone.

        Returns all units that were looked at; they are due on the agenda when this returns."""
        ordered = sorted(units)
        news: dict[Unit, list[News]] = {}
        for start in range(0, len(ordered), CHUNK):
            self._chunk(ordered[start : start + CHUNK], extent, mutation, {}, news)
        while news:
            batch = sorted(news)[:CHUNK]
            inbox = {unit: news.pop(unit) for unit in batch}
            self._chunk(batch, Extent.WHOLE, None, inbox, news)
        return self.reached

    def _chunk(
        self,
        units: Collection[Unit],
        extent: Extent,
        mutation: Mutation | None,
        inbox: dict[Unit, list[News]],
        news: dict[Unit, list[News]],
    ) -> None:
        graph = self.tx.load(units, extent)
        settling = Settling(graph, self.now, inline=self.inline)
        if mutation is not None:
            for item in mutation(graph):
                settling.enqueue(item)
        for item in tuple(graph.original):
            settling.enqueue(item)
        if self.inline:
            # What needs no work is settled at the first look after it was left to do.
            for item in graph.focus:
                if graph.node_roles[item].state is NodeRoleState.TODO:
                    settling.enqueue(item)
        for messages in inbox.values():
            for message in messages:
                settling.deliver(message)
        settling.run(())
        if self.after_settling is not None:
            self.after_settling(graph, units)
        tell(graph, self.now, self.actor)
        self.tx.save(graph)
        self.reached.update(units)
        self._pass_on(graph, news)
        if self.after_settling is None and (graph.original or not self.is_quiet):
            self.tx.wake_units(units, self.now)

    def _pass_on(self, graph: Graph, news: dict[Unit, list[News]]) -> None:
        """Tell the children in other units. Those loaded here are told again there: edges across
        units are never followed inside a working set."""
        changed = {
            item: change
            for item in {*graph.original, *graph.touched}
            if (change := _change(graph, item)) is not None
        }
        if not changed:
            return
        soft_wakes: set[NodeRoleId] = set()
        told: dict[NodeRoleId, list[News]] = {}
        for edge in self.tx.cross_edges(changed.keys()):
            unmet, stuck, touched = changed[edge.parent]
            if edge.kind is EdgeKind.SOFT:
                if unmet or stuck:
                    soft_wakes.add(edge.child)
            elif edge.is_joining:
                if graph.node_roles[edge.parent].is_settled:
                    joins = News(edge.child, is_touched=True, joins=edge)
                    told.setdefault(edge.child, []).append(joins)
            elif unmet or stuck or touched:
                message = News(edge.child, unmet, stuck, is_touched=touched)
                told.setdefault(edge.child, []).append(message)
        self._count_the_waiting(told)
        places = self.tx.units_of({*told, *soft_wakes})
        for child, messages in told.items():
            news.setdefault(places[child], []).extend(messages)
        self.tx.wake_units({places[item] for item in soft_wakes}, self.now)

    def _count_the_waiting(self, told: dict[NodeRoleId, list[News]]) -> None:
        """A parent has settled of children that wait for others still: only their counters move.
        One vertex may stand above ten thousand nodes, so they are not loaded for that."""
        alike: defaultdict[tuple[int, int], list[NodeRoleId]] = defaultdict(list)
        for child, messages in told.items():
            unmet = sum(message.unmet for message in messages)
            if unmet < 0 and all(message.joins is None for message in messages):
                alike[unmet, sum(message.stuck for message in messages)].append(child)
        for (unmet, stuck), children in alike.items():
            for child in self.tx.move_counters(children, unmet=unmet, stuck=stuck):
                del told[child]


def _change(graph: Graph, item: NodeRoleId) -> tuple[int, int, bool] | None:
    after = graph.node_roles[item]
    before = graph.original.get(item, after)
    unmet = before.is_settled - after.is_settled
    stuck = after.holds_back - before.holds_back
    touched = item in graph.touched
    return (unmet, stuck, touched) if unmet or stuck or touched else None


def tell(graph: Graph, now: datetime, actor: str) -> None:
    """One event for each node-role whose state people would see change."""
    for item, before in graph.original.items():
        after = graph.node_roles[item]
        shown = (after.state, after.is_stale, after.fence, after.digest)
        if (before.state, before.is_stale, before.fence, before.digest) == shown:
            continue
        graph.events.append(state_event(before, after, now, actor))


def state_event(before: NodeRole, after: NodeRole, now: datetime, actor: str) -> Event:
    data: dict[str, object] = {"role": after.role, "from": before.state.value}
    if after.is_stale:
        data["stale"] = True
    if after.error is not None and after.error is not before.error:
        data["error"] = {"family": after.error.family, "message": after.error.message}
    return Event(
        kind=f"node-role.{after.state}",
        at=now,
        node_id=after.node_id,
        node_role_id=after.id,
        run_id=after.run_id or before.run_id,
        deployment_id=after.deployment_id,
        actor=actor,
        data=data,
    )


def unit_of(node_role: NodeRole) -> Unit:
    if node_role.node_id is not None:
        return Unit(UnitKind.NODE, node_role.node_id)
    return Unit(UnitKind.VERTEX, node_role.id)
