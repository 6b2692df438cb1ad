"""Level-triggered rules: bring every node-role whose surroundings changed to the state that its
parents, input and confirmation imply. Starts nothing; settles what needs no work.

Each clause is one of design.md section 4.3. The rules run to a fixpoint: a vertex is looked at
until nothing about it changes, then its children within the working set are; changes that reach
beyond it are left in `Graph.original` and `Graph.touched` for the engine to carry on."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import heappop, heappush

from readystate.domain.blockers import blockers, needs_person
from readystate.domain.digest import Input, epochs_part, read_input
from readystate.domain.graph import Edge, EdgeKind, Graph
from readystate.domain.ids import NodeId, NodeRoleId
from readystate.domain.node_role import Confirmation, NodeRole, NodeRoleState, Verb
from readystate.domain.role import Epoch

_DONE = (NodeRoleState.ACTIVE, NodeRoleState.SKIPPED)


@dataclass(frozen=True, slots=True)
class News:
    """What a child beyond the working set must be told: changes of its counters, or only that
    something it wants may have changed."""

    child: NodeRoleId
    unmet: int = 0
    stuck: int = 0
    is_touched: bool = False
    joins: Edge | None = None  #: a newcomer has settled: count its edge from now on


class Settling:
    """One fixpoint over one working set at one instant."""

    def __init__(self, graph: Graph, now: datetime, *, inline: bool = True) -> None:
        self.graph = graph
        self.now = now
        self.inline = inline  #: also settle what needs no work; else leave it to do
        #: the version that the children's counters rest on; first the one that was loaded
        self._told: dict[NodeRoleId, NodeRole] = {}
        self._touch_told: set[NodeRoleId] = set()
        #: by how much `unmet` of queued vertices moves when they are looked at: most have several
        #: parents that settle one after the other
        self._owed: dict[NodeRoleId, int] = {}
        #: oldest first: parents are mostly older, so that most children are looked at once
        self._queue: list[tuple[int, NodeRoleId]] = []
        self._queued: set[NodeRoleId] = set()

    def run(self, start: Iterable[NodeRoleId]) -> None:
        for item in start:
            self.enqueue(item)
        while self._queue:
            _, item = heappop(self._queue)
            self._queued.discard(item)
            self._settle(item)

    def enqueue(self, item: NodeRoleId) -> None:
        """Look at it (again); vertices outside the focus are the engine's to reach."""
        if item in self.graph.focus and item not in self._queued:
            self._queued.add(item)
            heappush(self._queue, (abs(item), item))  # a draft counts its newcomers downwards

    def deliver(self, news: "News") -> None:
        """What became of a parent outside this working set, for one child inside."""
        child = self.graph.node_roles[news.child]
        if news.joins is not None:
            self.graph.join(news.joins)
        if news.unmet or news.stuck:
            self._count(child, news.unmet, news.stuck)
        if news.is_touched and self.graph.is_barrier(child):
            self.graph.touched.add(news.child)
        self.enqueue(news.child)

    # -- one vertex --------------------------------------------------------------------------------

    def _settle(self, item: NodeRoleId) -> None:
        graph = self.graph
        before = graph.node_roles[item]
        owed = self._owed.pop(item, 0)
        if owed:
            before = graph.put(before.changed(unmet=before.unmet + owed))
        if before.state is NodeRoleState.PROPOSED:
            self._mark_stuck(before, None)
        else:
            known = None
            for _ in range(8):  # a vertex passes at most a handful of states in one look
                current = graph.node_roles[item]
                known = self._look(current, known)
                if graph.node_roles[item] is current:
                    break
            else:
                raise RuntimeError(f"node-role {item} does not come to rest")
            self._mark_stuck(graph.node_roles[item], known)
        self._carry_on(graph.node_roles[item])

    def _look(self, current: NodeRole, known: Input | None) -> Input | None:
        """Apply the first rule that holds; returns the input if it was read. No rule changes the
        input of its own vertex, so that one reading does for one look."""
        state = current.state
        if state is NodeRoleState.TRANSITION:
            return None
        if current.unmet > 0:
            if state is NodeRoleState.TODO:
                self._move(current, Verb.BLOCK)
            elif state in _DONE and not current.is_stale:
                self._put(replace(current, is_stale=True, since=self.now))
            return None
        known = known or read_input(self.graph, current)
        if state in _DONE or state is NodeRoleState.ERROR:
            self._look_again(current, known)
        else:
            self._look_ahead(current, known)
        return known

    def _look_ahead(self, current: NodeRole, known: Input) -> None:
        """Blocked or to do, with every hard parent settled."""
        is_calm = known.verdict is None and self.graph.is_calm
        if known.verdict is False or is_calm:
            self._move(current, Verb.SKIP, digest=known.digest, confirmation=None, error=None)
            return
        bound = self._confirmation(current, known)
        if bound is not current.confirmation:
            self._put(replace(current, confirmation=bound))
        elif current.state is NodeRoleState.BLOCKED:
            self._move(current, Verb.UNBLOCK)
        elif (
            self.inline
            and self._is_inline(current)
            and not blockers(self.graph, current, self.now, known)
        ):
            self._put(
                current.through(
                    (Verb.START, Verb.SUCCEED),
                    self.now,
                    fence=current.fence + 1,
                    digest=known.digest,
                    error=None,
                    confirmation=None,
                )
            )

    def _look_again(self, current: NodeRole, known: Input) -> None:
        """Active, skipped or in error, with every hard parent settled: does it still hold?"""
        was_wanted = current.state is not NodeRoleState.SKIPPED
        if known.verdict is not None and known.verdict is not was_wanted:
            self._move(current, Verb.RECONSIDER, is_stale=False, error=None)
            return
        same = current.digest == known.digest
        is_destructive = self.graph.may_destroy(current)
        if current.state is NodeRoleState.SKIPPED:
            if current.is_stale or not same:
                self._put(replace(current, is_stale=False, digest=known.digest))
            return
        if current.state is NodeRoleState.ERROR:
            if not same and not is_destructive:
                self._move(current, Verb.RETRY)
            return
        bound = self._confirmation(current, known)
        if bound is not current.confirmation:
            self._put(replace(current, confirmation=bound))
        elif bound is not None or not (same or is_destructive):
            self._move(current, Verb.RERUN, is_stale=False)
        else:
            moved = epochs_part(current.digest) != known.epochs
            must_rerun = not same and moved  # only a destructive one comes here with `not same`
            if current.is_stale is not must_rerun:
                self._put(replace(current, is_stale=must_rerun))

    def _confirmation(self, current: NodeRole, known: Input) -> Confirmation | None:
        """Bind a confirmation when the whole input is known; later changes void it."""
        given = current.confirmation
        if given is None or (given.key is None and self._is_input_open(current, known)):
            return given
        key = self.confirmation_key(current, known)
        if given.key is None:
            return replace(given, key=key)
        if given.key != key:
            self._say("node-role.confirmation-void", current)
            return None
        return given

    def _is_input_open(self, current: NodeRole, known: Input) -> bool:
        """A value is missing still, or work that runs softly before it may move an epoch that is in
        its digest."""
        return bool(known.missing) or any(
            not parent.holds_back for parent in self.graph.unsettled_soft_parents(current.id)
        )

    def confirmation_key(self, current: NodeRole, known: Input) -> str:
        node = self.graph.nodes[current.node_id] if current.node_id is not None else None
        return f"{known.digest}@{node.identity if node else '-'}"

    def _is_inline(self, current: NodeRole) -> bool:
        return self.graph.role_of(current).is_inline or self.graph.is_barrier(current)

    def _mark_stuck(self, current: NodeRole, known: Input | None) -> None:
        stuck = not current.is_settled and needs_person(self.graph, current, known)
        if stuck is not current.is_stuck:
            self.graph.put(replace(current, is_stuck=stuck))

    # -- moving and carrying on --------------------------------------------------------------------

    def _move(self, current: NodeRole, verb: Verb, **changes: object) -> None:
        self._put(current.after(verb, self.now, **changes))

    def _put(self, changed: NodeRole) -> None:
        self.graph.put(changed)

    def _say(self, kind: str, node_role: NodeRole) -> None:
        self.graph.emit(kind, self.now, node_role=node_role)

    def _carry_on(self, after: NodeRole) -> None:
        """Let the children within the working set know what became of `after` since last told."""
        graph = self.graph
        before = self._told.get(after.id) or graph.original.get(after.id, after)
        self._told[after.id] = after
        unmet = before.is_settled - after.is_settled
        stuck = after.holds_back - before.holds_back
        looks_different = before.digest != after.digest or before.outputs != after.outputs
        if looks_different:
            graph.touched.add(after.id)
        elif after.id in graph.touched and after.id not in self._touch_told:
            self._touch_told.add(after.id)
            looks_different = True
        if not (unmet or stuck or looks_different):
            return
        for edge in list(graph.children[after.id]):
            child = graph.node_roles[edge.child]
            is_across = after.node_id is None or child.node_id != after.node_id
            if is_across and not graph.is_whole:
                continue  # the engine tells other units
            if edge.is_joining and after.is_settled:
                graph.join(edge)
                if graph.is_barrier(child):
                    graph.touched.add(child.id)
            elif edge.counts and (unmet or stuck):
                self._count(child, unmet, stuck)
            elif not (edge.kind is EdgeKind.SOFT and (unmet or stuck)) and not looks_different:
                continue
            if looks_different and graph.is_barrier(child):
                graph.touched.add(child.id)
            self.enqueue(child.id)

    def _count(self, before: NodeRole, unmet: int, stuck: int) -> None:
        """Move the counters of a child that is looked at next. Its `holds_back` may follow from its
        parents' alone: pass that on at once."""
        if not stuck and before.id in self.graph.focus:
            self._owed[before.id] = self._owed.get(before.id, 0) + unmet
            return
        after = self.graph.put(
            before.changed(unmet=before.unmet + unmet, stuck_parents=before.stuck_parents + stuck)
        )
        if after.holds_back is not before.holds_back:
            self._carry_on(after)


def move_epochs(
    graph: Graph, node_id: NodeId, epochs: frozenset[Epoch], now: datetime
) -> list[NodeRoleId]:
    """Move the node's counters once; returns the node-roles to look at again."""
    if not epochs:
        return []
    node = graph.nodes[node_id]
    # The reboot that we cause ourselves is counted here, so the boot id that follows is expected.
    boot_id = None if Epoch.REBOOT in epochs else node.boot_id
    graph.put_node(replace(node, epochs=node.epochs.moved(epochs), boot_id=boot_id))
    graph.emit("node.epochs-moved", now, node_id=node_id, epochs=sorted(epochs))
    rest_on = []
    for item in graph.on_node[node_id]:
        node_role = graph.node_roles[item]
        if graph.role_of(node_role).invalidated_by & epochs:
            rest_on.append(item)
        if Epoch.REINSTALL in epochs:
            graph.touched.add(item)  # vertices without a node below it count reinstalls
            rest_on.append(item)
    return rest_on
