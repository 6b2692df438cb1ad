"""The annealer on random graphs and histories: faults, crashes, people, and a physical oracle."""

import os
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from readystate.domain.deployment import (
    AttributeScope,
    Change,
    ClearAttribute,
    Confirm,
    Recall,
    Recommit,
    SetAttribute,
    Unbind,
)
from readystate.domain.errors import Conflict, InvalidTransition, NotFound
from readystate.domain.graph import HoldScope
from readystate.domain.node_role import NodeRole, NodeRoleState
from readystate.domain.power import PowerAction
from readystate.domain.role import Epoch, Flag, Lane, Reboot, Scope
from readystate.domain.run import RunPhase
from readystate.engine import interventions
from readystate.ports.dispatch import Message, WorkKind
from tests.property.catalogs import RandomCatalog, random_catalogs
from tests.property.invariants import (
    check_always,
    check_quiet,
    check_runnable,
    check_started,
)
from tests.property.world import ERRORS, World

EXAMPLES = 5000 if os.environ.get("LONG") else int(os.environ.get("EXAMPLES", "500"))

#: `SHRINK=0` tells a failing history as it was found, at once.
PHASES = tuple(it for it in Phase if os.environ.get("SHRINK", "1") != "0" or it.name != "shrink")

#: How many examples had each clause; the shares are asserted at the end.
SEEN: Counter[str] = Counter()


class Annealing(RuleBasedStateMachine):
    world: World
    had_pending = False

    @initialize(random=random_catalogs(), deep=st.booleans(), nodes=st.integers(1, 3))
    def build(self, random: RandomCatalog, deep: bool, nodes: int) -> None:
        self.world = World(random, deep=deep, nodes=nodes)
        self.names = [name for name in random.catalog.roles if name != "settings"]
        _note_clauses(random)
        self.world.bind_all(self.names, self.world.nodes[:1])
        self.world.settle_turns()

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        SEEN["pending"] += self.had_pending
        try:
            self.world.drain()
            check_always(self.world)
            check_quiet(self.world)
        finally:
            self.world.close()

    # -- people ------------------------------------------------------------------------------------

    @rule(data=st.data())
    def bind(self, data: st.DataObject) -> None:
        names = data.draw(st.lists(st.sampled_from(self.names), min_size=1, unique=True))
        nodes = data.draw(st.lists(st.sampled_from(self.world.nodes), min_size=1, unique=True))
        try:
            self.world.bind_all(names, nodes)
        except Conflict:
            return

    @rule(
        scope=st.integers(0, 2),
        name=st.sampled_from(["set/a", "set/b", "set/gate", "set/required"]),
        value=st.integers(0, 2),
        clear=st.booleans(),
    )
    def set_attribute(self, scope: int, name: str, value: int, clear: bool) -> None:
        world = self.world
        place, subject = (
            (AttributeScope.DEPLOYMENT, int(world.deployments[0])),
            (AttributeScope.DEPLOYMENT, int(world.deployments[-1])),
            (AttributeScope.NODE, int(world.nodes[0])),
        )[scope]
        stored: Any = bool(value) if name == "set/gate" else value
        change: Change = SetAttribute(place, subject, name, stored)
        if clear:
            change = ClearAttribute(place, subject, name)
        world.commit([change])

    @rule(data=st.data(), verb=st.sampled_from(["unbind", "recall", "recommit", "confirm"]))
    def change_one(self, data: st.DataObject, verb: str) -> None:
        node_role = self._draw(data)
        if node_role is None or self.world.is_barrier(node_role):
            return
        kinds = {"unbind": Unbind, "recall": Recall, "recommit": Recommit, "confirm": Confirm}
        try:
            self.world.commit([kinds[verb](node_role.id)])
        except (Conflict, InvalidTransition):
            return
        if verb == "unbind":
            for physical in self.world.physical.values():
                physical.staged.pop(node_role.role, None)

    @rule(data=st.data(), verb=st.sampled_from(["retry", "confirm", "accept", "cancel"]))
    def intervene(self, data: st.DataObject, verb: str) -> None:
        world = self.world
        wanted = {"retry": NodeRoleState.ERROR, "cancel": NodeRoleState.TRANSITION}.get(verb)
        node_role = self._draw(data, wanted)
        if node_role is None or world.is_barrier(node_role):
            return
        now, item = world.clock.now(), node_role.id
        try:
            if verb == "cancel":
                if node_role.run_id is None:
                    return
                run_id = node_role.run_id
                world.write(lambda tx: interventions.cancel(tx, run_id, now, by="tester"))
            elif verb == "accept":
                self._accept(node_role)
            else:
                act = getattr(interventions, verb)
                world.write(lambda tx: act(tx, item, now, by="tester"))
                if world.role_of(node_role).is_destructive:
                    world.tally.confirmations[item] += 1
        except (Conflict, InvalidTransition, NotFound):
            return

    def _accept(self, node_role: NodeRole) -> None:
        """A person accepts only what is really there."""
        world = self.world
        if node_role.node_id is not None:
            effects = world.physical[node_role.node_id].effects
            if node_role.role not in effects and not world.role_of(node_role).is_inline:
                return
        world.write(
            lambda tx: interventions.accept(tx, node_role.id, world.clock.now(), by="tester")
        )

    @rule(data=st.data(), where=st.sampled_from(list(HoldScope)), lift=st.booleans())
    def hold(self, data: st.DataObject, where: HoldScope, lift: bool) -> None:
        world = self.world
        node_role = self._draw(data)
        subject = {
            HoldScope.EVERYTHING: 0,
            HoldScope.DEPLOYMENT: int(world.deployments[-1]),
            HoldScope.NODE: int(world.nodes[0]),
            HoldScope.NODE_ROLE: int(node_role.id) if node_role else 0,
        }[where]
        if where is HoldScope.NODE_ROLE and node_role is None:
            return
        now = world.clock.now()
        act = interventions.resume if lift else interventions.hold
        try:
            world.write(lambda tx: act(tx, where, subject, now, by="tester"))
        except NotFound:
            return

    @rule(action=st.sampled_from(list(PowerAction)))
    def power(self, action: PowerAction) -> None:
        world = self.world
        world.write(
            lambda tx: interventions.request_power(
                tx, world.nodes[0], action, world.clock.now(), by="tester"
            )
        )

    # -- the engine and its workers ----------------------------------------------------------------

    @rule()
    def anneal(self) -> None:
        since = len(self.world.dispatcher.started)
        self.world.settle_turns()
        check_started(self.world, since)
        check_runnable(self.world)

    @rule(steps=st.integers(1, 12), waiting=st.sampled_from([0, 0, 1, 3]))
    def proceed(self, steps: int, waiting: int) -> None:
        """A good while without faults, so that later faults meet a graph that is under way; the
        first `waiting` runs go on without us for some time."""
        for _ in range(steps):
            self.world.settle_turns()
            if not self.world.dispatcher.messages:
                break
            message = self.world.dispatcher.messages[0]
            if waiting and message.kind is WorkKind.RUN and message.dispatch == 1:
                waiting -= 1
                self.had_pending = True
                self.world.wait_for(message, deadline_s=30.0)
            else:
                self.world.carry_out(message)
        self.world.settle_turns()

    @precondition(lambda self: self.world.dispatcher.messages)
    @rule(data=st.data())
    def work(self, data: st.DataObject) -> None:
        self.world.carry_out(self._message(data))

    @precondition(lambda self: self.world.dispatcher.messages)
    @rule(data=st.data(), family=st.sampled_from(ERRORS), after_acting=st.booleans())
    def fail(self, data: st.DataObject, family: type, after_acting: bool) -> None:
        message = self._message(data)
        self.world.fail(message, family, after_acting=after_acting)

    @precondition(lambda self: self.world.dispatcher.messages)
    @rule(data=st.data(), early=st.booleans())
    def pend(self, data: st.DataObject, early: bool) -> None:
        """The work goes on without us; the wake may come before we say that we wait for it."""
        world = self.world
        message = self._message(data)
        if message.kind is not WorkKind.RUN:
            return
        self.had_pending = True
        if early and world.current_run(message) is not None:
            self._wake(message.run_id)
        world.wait_for(message, deadline_s=30.0)

    def _wake(self, run_id: Any) -> None:
        world = self.world
        now = world.clock.now()
        world.write(lambda tx: interventions.raise_wake(tx, run_id, "callback", {}, now))

    @rule()
    def wake_pending(self) -> None:
        for run in self.world.whole_graph().runs.values():
            if run.phase is RunPhase.PENDING:
                self._wake(run.id)

    @precondition(lambda self: self.world.dispatcher.messages)
    @rule(data=st.data(), after_acting=st.booleans())
    def lose_worker(self, data: st.DataObject, after_acting: bool) -> None:
        message = self._message(data)
        self.world.lose(message, after_acting=after_acting)

    @rule(answer_too_late=st.booleans())
    def restart(self, answer_too_late: bool) -> None:
        """kill -9 of the engine with all its workers; a zombie may still report."""
        world = self.world
        zombies = list(world.dispatcher.messages)
        world.dispatcher.messages.clear()
        has_acted = bool(answer_too_late and zombies and world.act(zombies[0]))
        world.annealer = world.new_engine()
        if has_acted:
            world.turn()
            world.answer(zombies[0], world.good_answer(zombies[0]))

    @rule(data=st.data())
    def crash_machine(self, data: st.DataObject) -> None:
        self.world.crash(data.draw(st.sampled_from(self.world.nodes)))

    @rule(data=st.data())
    def vary_output(self, data: st.DataObject) -> None:
        node = f"node-{data.draw(st.integers(0, len(self.world.nodes) - 1))}"
        self.world.salt[node, data.draw(st.sampled_from(self.names))] += 1

    @rule(seconds=st.sampled_from([0.5, 2.0, 10.0, 61.0, 600.0]))
    def wait(self, seconds: float) -> None:
        self.world.clock.pass_s(seconds)

    @invariant()
    def holds(self) -> None:
        if hasattr(self, "world"):
            check_always(self.world)

    def _message(self, data: st.DataObject) -> Message:
        found = self.world.dispatcher.messages
        return found[data.draw(st.integers(0, len(found) - 1))]

    def _draw(self, data: st.DataObject, state: NodeRoleState | None = None) -> NodeRole | None:
        found = [it for it in self.world.node_roles() if state in (None, it.state)]
        return found[data.draw(st.integers(0, len(found) - 1))] if found else None


def _note_clauses(random: RandomCatalog) -> None:
    catalog = random.catalog
    roles = list(catalog.roles.values())
    clauses = {
        "when": any(role.when for role in roles),
        "barrier": any(role.scope is Scope.CLUSTER for role in roles),
        "deployment scope": any(role.scope is Scope.DEPLOYMENT for role in roles),
        "destructive": any(Flag.DESTRUCTIVE in role.flags for role in roles),
        "staged": any(role.reboot is Reboot.SHARED for role in roles),
        "lane both": any(role.lane is Lane.BOTH for role in roles),
        "soft edges": any(catalog.soft_parents(role.name) for role in roles),
        "epochs": any(
            role.invalidated_by & frozenset(Epoch) and role.raises | role.invalidated_by
            for role in roles
        ),
    }
    SEEN["all"] += 1
    SEEN.update(name for name, is_there in clauses.items() if is_there)


@pytest.mark.timeout(3600)
def test_no_history_breaks_the_rules() -> None:
    """The whole of design.md section 4.3, on the real engine and store."""
    SEEN.clear()
    run_state_machine_as_test(
        Annealing,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
            report_multiple_bugs=False,
            phases=PHASES,
        ),
    )
    shares = {name: count / SEEN["all"] for name, count in SEEN.items()}

    assert {name: share for name, share in shares.items() if share < 0.10} == {}
