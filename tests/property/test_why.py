"""Soundness of `why`, design.md section 4.4: the fix that it names frees the node-role, and no part
of it is idle. On random graphs that people, faults and missing facts have brought to a stand."""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from readystate.adapters.store.sql_store import SqlStore
from readystate.domain.blockers import BlockerKind, blockers
from readystate.domain.deployment import (
    AttributeScope,
    Change,
    Recall,
    Recommit,
    SetAttribute,
)
from readystate.domain.errors import Conflict, InvalidTransition, NotFound, Refused
from readystate.domain.graph import UNKNOWN, HoldScope
from readystate.domain.node_role import NodeRole, NodeRoleState
from readystate.engine import interventions
from readystate.engine.explain import Why, explain
from readystate.engine.smallest_fix import Fix, FixVerb
from readystate.ports.dispatch import WorkKind
from tests.property.catalogs import RandomCatalog, random_catalogs
from tests.property.world import HandDispatcher, World

EXAMPLES = 1000 if os.environ.get("LONG") else 50

ACTS = ("proceed", "refuse", "hold", "edit", "recall", "unavailable", "no-bmc", "crash")


# -- a world that stands still ---------------------------------------------------------------------


@contextmanager
def stuck_worlds(random: RandomCatalog, data: st.DataObject) -> Iterator[World]:
    world = World(random, nodes=data.draw(st.integers(1, 2)), deep=data.draw(st.booleans()))
    try:
        names = [name for name in random.catalog.roles if name != "settings"]
        try:
            world.bind_all(names, world.nodes)
        except Conflict:
            assume(False)
        for act in data.draw(st.lists(st.sampled_from(ACTS), min_size=2, max_size=14)):
            _act(world, act, data)
        world.drain()
        yield world
    finally:
        world.close()


def _act(world: World, act: str, data: st.DataObject) -> None:
    now = world.clock.now()
    node_id = data.draw(st.sampled_from(world.nodes))
    match act:
        case "proceed":
            for _ in range(data.draw(st.integers(1, 10))):
                world.settle_turns()
                if world.dispatcher.messages:
                    world.carry_out(world.dispatcher.messages[0])
        case "refuse":
            world.settle_turns()
            if world.dispatcher.messages:
                acts = data.draw(st.booleans())
                world.fail(world.dispatcher.messages[-1], Refused, after_acting=acts)
        case "hold":
            scope, subject = _subject(world, data)
            world.write(lambda tx: interventions.hold(tx, scope, subject, now, by="tester"))
        case "edit":
            name = data.draw(st.sampled_from(["set/a", "set/b", "set/gate"]))
            value = data.draw(st.integers(0, 2))
            stored: Any = bool(value) if name == "set/gate" else value
            world.commit([SetAttribute(AttributeScope.NODE, int(node_id), name, stored)])
        case "recall":
            _recall(world, data)
        case "unavailable":
            world.write(
                lambda tx: interventions.set_available(tx, node_id, now, by="tester", to=False)
            )
        case "no-bmc":
            world.observe(node_id, {"bmc": []})
        case "crash":
            world.crash(node_id)


def _subject(world: World, data: st.DataObject) -> tuple[HoldScope, int]:
    scope = data.draw(st.sampled_from([*HoldScope, HoldScope.NODE_ROLE, HoldScope.NODE_ROLE]))
    match scope:
        case HoldScope.EVERYTHING:
            return scope, 0
        case HoldScope.DEPLOYMENT:
            return scope, int(data.draw(st.sampled_from(world.deployments)))
        case HoldScope.NODE:
            return scope, int(data.draw(st.sampled_from(world.nodes)))
        case HoldScope.NODE_ROLE:
            return scope, int(data.draw(st.sampled_from(world.node_roles())).id)


def _recall(world: World, data: st.DataObject) -> None:
    """A node-role with all that needs it, so that nothing refuses."""
    chosen = data.draw(st.sampled_from(world.node_roles()))
    if world.is_barrier(chosen):
        return
    below = world.read(lambda reader: reader.hard_descendants({chosen.id})) | {chosen.id}
    changes: list[Change] = [
        Recall(it.id)
        for it in world.node_roles()
        if it.id in below and it.is_committed and not world.is_barrier(it)
    ]
    try:
        world.commit(changes)
    except (Conflict, InvalidTransition):
        return


@contextmanager
def forked(world: World) -> Iterator[World]:
    """The same world once more, to try something in it. Only of one that stands still."""
    fork = World.__new__(World)
    fork.__dict__.update(world.__dict__)
    fork.folder = Path(tempfile.mkdtemp(prefix="readystate-fork-", dir=world.folder.parent))
    for file in world.folder.iterdir():
        if not file.name.startswith("readystate.db") and file.is_file():
            shutil.copy(file, fork.folder / file.name)
    with (
        closing(sqlite3.connect(world.folder / "readystate.db")) as source,
        closing(sqlite3.connect(fork.folder / "readystate.db")) as target,
    ):
        source.backup(target)
    for name in ("clock", "tally", "salt", "physical", "deployment_effects", "nodes"):
        setattr(fork, name, deepcopy(getattr(world, name)))
    fork.dispatcher = HandDispatcher()
    fork.store = SqlStore(
        f"sqlite:///{fork.folder / 'readystate.db'}",
        data_dir=fork.folder,
        book_for=lambda version, files: fork.catalog,
    )
    fork.annealer = fork.new_engine()
    try:
        yield fork
    finally:
        fork.close()


# -- a person who does as told ---------------------------------------------------------------------


def follow(world: World, fixes: Sequence[Fix]) -> None:
    """What a person would do, in the order in which it is told."""
    commits: list[Change] = []
    for fix in fixes:
        if fix.verb is FixVerb.COMMIT:
            commits.append(Recommit(fix.node_role_id))
    for fix in fixes:
        if fix.verb is FixVerb.COMMIT:
            if commits:
                world.commit(commits)
                commits = []
            continue
        _do(world, fix)


def _do(world: World, fix: Fix) -> None:
    now, item = world.clock.now(), fix.node_role_id
    node_role = next(it for it in world.node_roles() if it.id == item)
    match fix.verb:
        case FixVerb.RESUME:
            hold = fix.hold
            assert hold is not None
            world.write(
                lambda tx: interventions.resume(tx, hold.scope, hold.subject_id, now, by="tester")
            )
        case FixVerb.SET_AVAILABLE:
            node_id = node_role.node_id
            assert node_id is not None
            world.write(
                lambda tx: interventions.set_available(tx, node_id, now, by="tester", to=True)
            )
        case FixVerb.ADD_BMC:
            assert node_role.node_id is not None
            world.observe(
                node_role.node_id, {"bmc": [{"protocol": "ipmi", "address": "127.0.9.9"}]}
            )
        case FixVerb.SET_ATTRIBUTE:
            value = 1 if fix.value is UNKNOWN else fix.value
            world.commit(
                [
                    *(
                        SetAttribute(AttributeScope.NODE, int(node_id), fix.subject, value)
                        for node_id in world.nodes
                    ),
                    *(
                        SetAttribute(AttributeScope.DEPLOYMENT, int(place), fix.subject, value)
                        for place in world.deployments
                    ),
                ]
            )
        case FixVerb.RETRY:
            world.write(lambda tx: interventions.retry(tx, item, now, by="tester"))
        case FixVerb.CONFIRM:
            world.write(lambda tx: interventions.confirm(tx, item, now, by="tester"))
        case _:
            raise AssertionError(fix)


def frees(world: World, item: int, fixes: Sequence[Fix]) -> NodeRole:
    """The node-role after a person did this and everything that could run has run."""
    with forked(world) as trial:
        follow(trial, fixes)
        trial.drain()
        return next(it for it in trial.node_roles() if it.id == item)


# -- the laws --------------------------------------------------------------------------------------


def why_of(world: World, item: NodeRole) -> Why:
    return world.read(lambda reader: explain(reader, item.id, world.clock.now()))


def unsettled(world: World) -> list[NodeRole]:
    return [it for it in world.node_roles() if not it.is_settled]


LAWS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
    report_multiple_bugs=False,
)


@LAWS
@given(random=random_catalogs(most=6), data=st.data())
def test_the_fix_frees_the_node_role_and_no_part_of_it_is_idle(
    random: RandomCatalog, data: st.DataObject
) -> None:
    """`why` ... returns ... the **smallest set of facts** that would unblock (irreducible, assuming
    that other runs succeed)."""
    with stuck_worlds(random, data) as world:
        stuck = unsettled(world)
        assume(stuck)
        item = data.draw(st.sampled_from(stuck))
        why = why_of(world, item)
        told = f"{item.role} ({item.id}): {[(it.verb.value, it.subject) for it in why.fix]}"
        if not why.fix and _misses_an_output(why):
            event("an output is missing that no attribute brings")
            return

        assert why.fix, f"{told}\n{world.describe()}"
        freed = frees(world, item.id, why.fix)
        if not freed.is_settled and _misses_an_output(why):
            event("an output is missing that no attribute brings")
            return
        assert freed.is_settled, f"not freed: {told}\n{freed}\n{world.describe()}"
        event(f"{len(why.fix)} facts")
        for fix in why.fix:
            rest = [other for other in why.fix if other is not fix]
            left = frees(world, item.id, rest)
            assert not left.is_settled or _may_be_skipped(world, why), (
                f"{fix.verb} {fix.subject} is idle: {told}\n{world.describe()}"
            )


def _misses_an_output(why: Why) -> bool:
    """The work that would put it out was skipped because of another output: nobody can set that."""
    return any(
        root.blocker.kind is BlockerKind.MISSING_ATTRIBUTE
        and root.blocker.detail.startswith("out/")
        for root in why.roots
    )


def _may_be_skipped(world: World, why: Why) -> bool:
    """Whether somebody on the way rests on an output by `when`: `why` does not promise a skip."""
    return any(
        name.startswith("out/")
        for link in why.chain
        for name, _ in world.catalog.role(link.role).when
    )


@LAWS
@given(random=random_catalogs(most=6), data=st.data())
def test_whatever_does_not_move_has_a_root_cause(
    random: RandomCatalog, data: st.DataObject
) -> None:
    """`why` walks them to the root causes and returns the chain ... If the scheduler and `why`
    could ever disagree, that is a bug."""
    with stuck_worlds(random, data) as world:
        for item in world.node_roles():
            why = why_of(world, item)
            if item.is_settled:
                assert (why.chain[0].blockers, why.fix) == ((), ())
                continue
            told = f"{item.role} ({item.id})\n{world.describe()}"
            assert not why.is_runnable, told
            assert why.chain[0].node_role_id == item.id, told
            assert why.roots, told
            assert why.fix or _misses_an_output(why), told


@LAWS
@given(random=random_catalogs(most=6), data=st.data())
def test_what_has_no_blocker_is_what_starts(random: RandomCatalog, data: st.DataObject) -> None:
    """One predicate for the scheduler and for `why`: runnable means empty."""
    with stuck_worlds(random, data) as world:
        _free_something(world, data)
        graph = world.whole_graph()
        now = world.clock.now()
        free = {
            it.id
            for it in map(graph.node_roles.__getitem__, graph.focus)
            if it.state is NodeRoleState.TODO and not blockers(graph, it, now)
        }
        inline = {it for it in free if world.role_of(graph.node_roles[it]).is_inline}
        since = len(world.dispatcher.started)

        world.turn()

        started = {
            message.ticket.node_role_id
            for message in world.dispatcher.started[since:]
            if message.ticket is not None and message.kind is WorkKind.RUN
        }
        after = {it.id: it for it in world.node_roles()}
        graph = world.whole_graph()
        assert all(after[it].state is not NodeRoleState.TODO for it in inline), world.describe()
        if not inline:  # what these settle may free more in the same turn
            assert started <= free, f"started though blocked: {started - free}\n{world.describe()}"
        for item in free - started - inline:
            found = {it.kind for it in blockers(graph, after[item], now)}
            taken = {BlockerKind.LANE, BlockerKind.ADMISSION, BlockerKind.ORDERED_AFTER}
            assert found & taken, f"{item} was free and did not start: {found}\n{world.describe()}"


def _free_something(world: World, data: st.DataObject) -> None:
    """Lift holds and retry errors, so that something may start."""
    now = world.clock.now()
    for hold in world.read(lambda reader: reader.holds()):
        if data.draw(st.booleans()):
            world.write(
                lambda tx, it=hold: interventions.resume(
                    tx, it.scope, it.subject_id, now, by="tester"
                )
            )
    for item in world.node_roles():
        if item.state is NodeRoleState.ERROR and data.draw(st.booleans()):
            try:
                world.write(lambda tx, it=item: interventions.retry(tx, it.id, now, by="tester"))
            except (InvalidTransition, NotFound):
                continue
