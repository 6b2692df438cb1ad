"""The smallest set of facts that only a person can change and that frees a node-role (design.md
section 4.4): found by letting the real rules come to rest under it, with other runs succeeding."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from readystate.domain.blockers import BlockerKind, blockers
from readystate.domain.deployment import AttributeScope
from readystate.domain.digest import sources
from readystate.domain.graph import UNKNOWN, Graph, Hold
from readystate.domain.ids import NodeRoleId
from readystate.domain.node import BmcAccess
from readystate.domain.node_role import Confirmation, NodeRole, NodeRoleState, Verb
from readystate.domain.role import Want
from readystate.engine.draft import CONFIRMABLE
from readystate.engine.forecast import let_come_to_rest


class FixVerb(StrEnum):
    """In the order in which they are given: what is set first does not void what is confirmed."""

    SET_ATTRIBUTE = "set-attribute"
    ADD_BMC = "add-bmc"
    SET_AVAILABLE = "set-available"
    RESUME = "resume"
    COMMIT = "commit"
    RETRY = "retry"
    CONFIRM = "confirm"


_ORDER = {verb: place for place, verb in enumerate(FixVerb)}


@dataclass(frozen=True, slots=True)
class Fix:
    """One fact that a person has to change."""

    verb: FixVerb
    subject: str  #: what to change, by name: a node-role, a hold's scope, an attribute
    node_role_id: NodeRoleId
    hold: Hold | None = None  #: RESUME: which
    value: Any = UNKNOWN  #: SET_ATTRIBUTE: the one that helps; UNKNOWN: any
    destroys: bool = False  #: RETRY, CONFIRM: it says yes to writing disks
    command: str = ""  #: what to type; `explain` fills it in


#: Gives the same working set anew: a trial uses it up.
Load = Callable[[], Graph]

#: What the freed work needs next may only show when it has come that far; more rounds are a defect.
_MOST_ROUNDS = 8

#: Beyond these a fix is told as it stands, without trying to do with less of it.
_MOST_TRIALS = 16
_MOST_VERTICES = 5000


def smallest_fix(load: Load, item: NodeRoleId, now: datetime) -> tuple[Fix, ...]:
    """Irreducible; empty when only time is needed."""
    first = load()
    if len(first.focus) > _MOST_VERTICES:
        return tuple(_wanted(first, item, now))
    found: list[Fix] = []
    for _ in range(_MOST_ROUNDS):
        rested = _rested(load(), found, now)
        if rested.node_roles[item].is_settled:
            break
        told = {(fix.verb, fix.subject) for fix in found}
        more = [fix for fix in _wanted(rested, item, now) if (fix.verb, fix.subject) not in told]
        if not more:
            break
        found += more
    if len(found) <= _MOST_TRIALS:
        found = _without_needless(load, item, found, now)
    return tuple(sorted(found, key=lambda fix: _ORDER[fix.verb]))


def _without_needless(
    load: Load, item: NodeRoleId, found: Sequence[Fix], now: datetime
) -> list[Fix]:
    kept = list(found)
    for fix in found:
        rest = [other for other in kept if other is not fix]
        if _rested(load(), rest, now).node_roles[item].is_settled:
            kept = rest
    return kept


# -- trying it -------------------------------------------------------------------------------------


def _rested(graph: Graph, fixes: Iterable[Fix], now: datetime) -> Graph:
    for fix in sorted(fixes, key=lambda fix: _ORDER[fix.verb]):
        _apply(graph, fix, now)
    let_come_to_rest(graph, now)
    return graph


def _apply(graph: Graph, fix: Fix, now: datetime) -> None:
    node_role = graph.node_roles[fix.node_role_id]
    node = graph.nodes[node_role.node_id] if node_role.node_id is not None else None
    match fix.verb:
        case FixVerb.RESUME if fix.hold is not None:
            graph.holds.pop((fix.hold.scope, fix.hold.subject_id), None)
        case FixVerb.SET_AVAILABLE if node is not None:
            graph.put_node(replace(node, is_available=True))
        case FixVerb.ADD_BMC if node is not None:
            graph.put_node(replace(node, bmc=(BmcAccess("any", "any"),)))
        case FixVerb.SET_ATTRIBUTE:
            for node_id in graph.nodes:
                graph.values.set_value(AttributeScope.NODE, node_id, fix.subject, fix.value)
            for deployment_id in graph.ancestry:
                graph.values.set_value(
                    AttributeScope.DEPLOYMENT, deployment_id, fix.subject, fix.value
                )
        case FixVerb.RETRY if node_role.state is NodeRoleState.ERROR:
            graph.put(_confirmed(graph, node_role.after(Verb.RETRY, now), now))
        case FixVerb.COMMIT if node_role.state is NodeRoleState.PROPOSED:
            graph.put(_confirmed(graph, node_role.after(Verb.COMMIT, now), now))
        case FixVerb.CONFIRM if node_role.state in CONFIRMABLE:
            graph.put(_confirmed(graph, node_role, now))
        case _:
            return


def _confirmed(graph: Graph, node_role: NodeRole, now: datetime) -> NodeRole:
    if not graph.may_destroy(node_role):
        return node_role
    return replace(node_role, confirmation=Confirmation("why", now))


# -- what stands in the way ------------------------------------------------------------------------


def _wanted(graph: Graph, item: NodeRoleId, now: datetime) -> Iterator[Fix]:
    """Every hard ancestor has to settle, so whatever only a person can change about one of them may
    be needed, and nothing else is: soft parents that need a person delay nobody."""
    told: set[tuple[FixVerb, str]] = set()
    for node_role in _unsettled_above(graph, item):
        for fix in _fixes_of(graph, node_role, now):
            if (fix.verb, fix.subject) not in told:
                told.add((fix.verb, fix.subject))
                yield fix


def _unsettled_above(graph: Graph, item: NodeRoleId) -> list[NodeRole]:
    """The node-role and all that is unsettled hard-above it, nearest first."""
    found = [graph.node_roles[item]]
    seen = {item}
    for current in found:
        for parent in graph.hard_parents(current.id):
            if not parent.is_settled and parent.id not in seen:
                seen.add(parent.id)
                found.append(parent)
    return found


def _fixes_of(graph: Graph, node_role: NodeRole, now: datetime) -> Iterator[Fix]:
    item = node_role.id
    node = graph.nodes[node_role.node_id].name if node_role.node_id is not None else ""
    name = f"{node}/{node_role.role}" if node else node_role.role
    for blocker in blockers(graph, node_role, now):
        match blocker.kind:
            case BlockerKind.ERROR:
                yield Fix(FixVerb.RETRY, name, item, destroys=graph.may_destroy(node_role))
            case BlockerKind.NOT_COMMITTED:
                yield Fix(FixVerb.COMMIT, name, item)
            case BlockerKind.HELD:
                yield from _resumes(graph, node_role)
            case BlockerKind.MISSING_ATTRIBUTE:
                yield from _settings(graph, node_role, blocker.attribute)
            case BlockerKind.NODE_UNAVAILABLE:
                yield Fix(FixVerb.SET_AVAILABLE, node, item)
            case BlockerKind.NO_HAMMER:
                yield Fix(FixVerb.ADD_BMC, node, item)
            case BlockerKind.CONFIRMATION:
                yield Fix(FixVerb.CONFIRM, name, item, destroys=True)
            case _:
                continue


def _resumes(graph: Graph, node_role: NodeRole) -> Iterator[Fix]:
    """One for each hold over it. Staged work only waits for the node's power cycle."""
    staged = node_role.state is NodeRoleState.TRANSITION
    holds = graph.all_holds_around(node_role) if staged else graph.all_holds_on(node_role)
    for hold in holds:
        subject = f"{hold.scope} {hold.subject_id}" if hold.subject_id else hold.scope.value
        yield Fix(FixVerb.RESUME, subject, node_role.id, hold=hold)


def _settings(graph: Graph, node_role: NodeRole, attribute: str) -> Iterator[Fix]:
    """A layered attribute is set. An output is missing because the work that would put it out was
    skipped: what made it so is set, as far as it is an attribute."""
    book = graph.books[node_role.deployment_id]
    source = book.output_source(attribute)
    if source is None:
        yield Fix(FixVerb.SET_ATTRIBUTE, attribute, node_role.id)
        return
    for want in graph.role_of(node_role).wants:
        if want.attribute != attribute or want.source is None:
            continue
        for parent in sources(graph, node_role, Want(attribute, want.source)):
            for name, required in graph.role_of(parent).when:
                if book.output_source(name) is None:
                    yield Fix(FixVerb.SET_ATTRIBUTE, name, parent.id, value=required)
