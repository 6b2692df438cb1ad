"""Short scenarios on the rig of `world.py`: a catalog made by hand, node-roles by name, one person
and one worker that do what the test says."""

from collections.abc import Sequence
from typing import Any

from readystate.domain.blockers import Blocker, BlockerKind, blockers
from readystate.domain.catalog import Catalog
from readystate.domain.declaration import DeclaredRole
from readystate.domain.deployment import (
    AttributeScope,
    Change,
    ClearAttribute,
    Recall,
    Recommit,
    SetAttribute,
    Unbind,
    UseCatalog,
)
from readystate.domain.graph import HoldScope
from readystate.domain.ids import RoleName
from readystate.domain.node_role import NodeRole, NodeRoleState
from readystate.domain.outcome import NotDone
from readystate.domain.power import PowerAction
from readystate.domain.role import (
    Declared,
    Epoch,
    Flag,
    Lane,
    Reboot,
    Retry,
    Role,
    Scope,
    Want,
)
from readystate.domain.run import Run, RunKind
from readystate.engine import interventions
from readystate.engine.explain import Why, explain
from readystate.ports.dispatch import Message, WorkKind
from tests.property.catalogs import RandomCatalog
from tests.property.physical import LivesIn
from tests.property.world import World

BLOCKED, TODO, TRANSITION = NodeRoleState.BLOCKED, NodeRoleState.TODO, NodeRoleState.TRANSITION
ACTIVE, ERROR, SKIPPED = NodeRoleState.ACTIVE, NodeRoleState.ERROR, NodeRoleState.SKIPPED
PROPOSED = NodeRoleState.PROPOSED

#: What the catalog's first role declares, with defaults; `set/required` has none.
_SETTINGS = {"set/a": 0, "set/b": 0, "set/gate": True}
GATED = (("set/gate", True),)


def names(*given: str) -> tuple[RoleName, ...]:
    return tuple(RoleName(item) for item in given)


def make_role(
    name: str, *, needs: Sequence[str] = (), after: Sequence[str] = (), **said: Any
) -> Role:
    """A role that works without a lane and puts nothing out, unless `said` otherwise."""
    return Role(
        name=RoleName(name),
        summary=name,
        **{
            "jig": "call",
            "argument": "work",
            "requires": names(*needs),
            "after": names(*after),
            "retry": Retry(attempts=3, backoff_s=(10.0, 20.0)),
            "deadline_s": 500.0,
            **said,
        },
    )


def milestone(name: str, *, needs: Sequence[str] = (), **said: Any) -> Role:
    return make_role(name, needs=needs, **{"jig": "noop", "argument": "", **said})


def destructive(name: str, **said: Any) -> Role:
    return make_role(name, **{"flags": frozenset({Flag.DESTRUCTIVE}), "lane": Lane.BMC, **said})


def staging(name: str, **said: Any) -> Role:
    return make_role(name, **{"lane": Lane.BMC, "reboot": Reboot.SHARED, **said})


def rebooting(name: str, **said: Any) -> Role:
    return make_role(name, **{"lane": Lane.BOTH, "reboot": Reboot.ALONE, **said})


def installing(name: str, **said: Any) -> Role:
    """Reboots and writes the disk anew; not destructive unless said."""
    return rebooting(name, **{"raises": frozenset({Epoch.REINSTALL}), **said})


def on_disk(name: str, **said: Any) -> Role:
    """What it does is gone with a reinstall."""
    by = frozenset({Epoch.REINSTALL})
    return make_role(name, **{"lane": Lane.OS, "invalidated_by": by, **said})


def in_memory(name: str, **said: Any) -> Role:
    """What it does is gone with a reboot."""
    by = frozenset({Epoch.REBOOT, Epoch.REINSTALL})
    return make_role(name, **{"lane": Lane.OS, "invalidated_by": by, **said})


def shared_by_deployment(name: str, **said: Any) -> Role:
    return make_role(name, **{"scope": Scope.DEPLOYMENT, **said})


def by_cluster(name: str, **said: Any) -> Role:
    return make_role(name, **{"scope": Scope.CLUSTER, **said})


def puts_out(name: str, **said: Any) -> Role:
    """Puts out `out/NAME`."""
    return make_role(name, **{"outputs": (Declared(f"out/{name}", {}),), **said})


def wants_output(source: str, **said: Any) -> tuple[Want, ...]:
    return (Want(f"out/{source}", RoleName(source), **said),)


def make_catalog(*roles: Role, edition: str = "") -> RandomCatalog:
    """`edition` is what differs between two versions of the same annotations."""
    anchor = Role(
        RoleName("settings"),
        "declares",
        jig="noop",
        attributes=(
            *(Declared(name, {}, default, has_default=True) for name, default in _SETTINGS.items()),
            Declared("set/required", {}),
        ),
    )
    declared = [
        DeclaredRole(
            role,
            f"{role.name}.yml",
            content={"role": role.name, "edition": edition},
            stated_name=role.name,
            says_invalidated_by=True,
        )
        for role in (anchor, *roles)
    ]
    lives_in = {role.name: _place(role) for role in roles}
    return RandomCatalog(Catalog.build(declared), lives_in)


def _place(role: Role) -> LivesIn:
    if Epoch.REBOOT in role.invalidated_by:
        return LivesIn.MEMORY
    return LivesIn.DISK if Epoch.REINSTALL in role.invalidated_by else LivesIn.FIRMWARE


class Rig(World):
    """Names instead of numbers: a node-role is its role and the number of its node, counted from
    nought; None is the vertex that has no node."""

    def __init__(self, *roles: Role, nodes: int = 1, deep: bool = False) -> None:
        super().__init__(make_catalog(*roles), nodes=nodes, deep=deep)

    # -- reading -----------------------------------------------------------------------------------

    def find(self, role: str, node: int | None = 0) -> NodeRole | None:
        node_id = self.nodes[node] if node is not None else None
        found = [it for it in self.node_roles() if (it.role, it.node_id) == (role, node_id)]
        assert len(found) <= 1, f"{role} is bound twice in one place"
        return found[0] if found else None

    def the(self, role: str, node: int | None = 0) -> NodeRole:
        found = self.find(role, node)
        assert found is not None, f"{role} is not bound to node {node}"
        return found

    def state(self, role: str, node: int | None = 0) -> NodeRoleState:
        return self.the(role, node).state

    def states(self, *roles: str, node: int | None = 0) -> list[NodeRoleState]:
        return [self.state(role, node) for role in roles]

    def blockers(self, role: str, node: int | None = 0) -> tuple[Blocker, ...]:
        return blockers(self.whole_graph(), self.the(role, node), self.clock.now())

    def kinds(self, role: str, node: int | None = 0) -> set[BlockerKind]:
        return {item.kind for item in self.blockers(role, node)}

    def runs(self, role: str, node: int | None = 0) -> int:
        """How often a worker did the work."""
        return self.tally.runs[self.the(role, node).id]

    def run_of(self, role: str, node: int | None = 0) -> Run:
        run_id = self.the(role, node).run_id
        assert run_id is not None, f"{role} is not under way"
        return self.read(lambda reader: reader.run(run_id)).run

    def node_of(self, node: int = 0) -> Any:
        return self.read(lambda reader: reader.node(self.nodes[node]))

    def events_of(self, kind: str) -> list[Any]:
        found = self.read(lambda reader: reader.events(limit=10_000, kinds=(kind,)))
        return [event for _, event in found]

    def why(self, role: str, node: int | None = 0) -> Why:
        item, now = self.the(role, node).id, self.clock.now()
        return self.read(lambda reader: explain(reader, item, now))

    # -- a person ----------------------------------------------------------------------------------

    def bind(self, *roles: str, nodes: Sequence[int] = (0,)) -> Any:
        return self.bind_all(roles, [self.nodes[item] for item in nodes])

    def edit(self, name: str, value: Any, *, node: int | None = None) -> Any:
        return self.commit([self.setting(name, value, node=node)])

    def setting(self, name: str, value: Any, *, node: int | None = None) -> Change:
        if node is None:
            return SetAttribute(AttributeScope.DEPLOYMENT, int(self.deployments[-1]), name, value)
        return SetAttribute(AttributeScope.NODE, int(self.nodes[node]), name, value)

    def unset(self, name: str) -> Any:
        scope = AttributeScope.DEPLOYMENT
        return self.commit([ClearAttribute(scope, int(self.deployments[-1]), name)])

    def unbind(self, *roles: str, node: int | None = 0) -> Any:
        return self.commit([Unbind(self.the(role, node).id) for role in roles])

    def recall(self, *roles: str, node: int | None = 0) -> Any:
        return self.commit([Recall(self.the(role, node).id) for role in roles])

    def recommit(self, *roles: str, node: int | None = 0) -> Any:
        return self.commit([Recommit(self.the(role, node).id) for role in roles])

    def use_edition(self, edition: str) -> Any:
        """Put the same annotations, edited, in force in the innermost deployment."""
        roles = [role for role in self.catalog.roles.values() if role.name != "settings"]
        self.catalog = make_catalog(*roles, edition=edition).catalog
        self.write(lambda tx: tx.add_catalog(edition, {}))
        return self.commit([UseCatalog(edition)])

    def person(self, act: Any, *arguments: Any, **named: Any) -> Any:
        """One intervention at the clock's time."""
        now = self.clock.now()
        return self.write(lambda tx: act(tx, *arguments, now, by="tester", **named))

    def retry(self, role: str, node: int | None = 0) -> None:
        found = self.the(role, node)
        self.person(interventions.retry, found.id)
        self.tally.confirmations[found.id] += self.role_of(found).is_destructive

    def confirm(self, role: str, node: int | None = 0) -> None:
        self.person(interventions.confirm, self.the(role, node).id)
        self.tally.confirmations[self.the(role, node).id] += 1

    def accept(self, role: str, node: int | None = 0) -> None:
        self.person(interventions.accept, self.the(role, node).id)

    def cancel(self, role: str, node: int | None = 0) -> None:
        self.person(interventions.cancel, self.run_of(role, node).id)

    def hold(self, scope: HoldScope, subject: str = "", node: int = 0) -> None:
        self.person(interventions.hold, scope, self._subject(scope, subject, node))

    def resume(self, scope: HoldScope, subject: str = "", node: int = 0) -> None:
        self.person(interventions.resume, scope, self._subject(scope, subject, node))

    def _subject(self, scope: HoldScope, role: str, node: int) -> int:
        match scope:
            case HoldScope.EVERYTHING:
                return 0
            case HoldScope.DEPLOYMENT:
                return int(self.deployments[-1])
            case HoldScope.NODE:
                return int(self.nodes[node])
            case HoldScope.NODE_ROLE:
                return int(self.the(role, node).id)

    def power(self, action: PowerAction, node: int = 0) -> Any:
        return self.person(interventions.request_power, self.nodes[node], action)

    def set_available(self, to: bool, node: int = 0) -> None:
        self.person(interventions.set_available, self.nodes[node], to=to)

    def wake(self, role: str, node: int | None = 0, name: str = "callback") -> None:
        run_id, now = self.run_of(role, node).id, self.clock.now()
        self.write(lambda tx: interventions.raise_wake(tx, run_id, name, {"from": "node"}, now))

    # -- workers -----------------------------------------------------------------------------------

    def given(self, role: str, node: int | None = 0) -> Message | None:
        """The message for the node-role that counts, if a worker has one."""
        item = self.the(role, node).id
        for message in self.dispatcher.messages:
            if message.ticket is None or message.ticket.node_role_id != item:
                continue
            if self.current_run(message) is not None:
                return message
        return None

    def message(self, role: str, node: int | None = 0, kind: WorkKind | None = None) -> Message:
        self.settle_turns()
        found = self.given(role, node)
        assert found is not None, f"no worker has {role}:\n{self.describe()}"
        assert kind in (None, found.kind), f"{role} is asked to {found.kind}"
        return found

    def is_given(self, role: str, node: int | None = 0) -> bool:
        self.settle_turns()
        return self.given(role, node) is not None

    def started(self, *roles: str, node: int | None = 0) -> set[str]:
        """Those of the roles that a worker has now."""
        self.settle_turns()
        return {role for role in roles if self.given(role, node) is not None}

    def work(self, *roles: str, node: int | None = 0) -> None:
        """A worker carries them out without a fault, one after the other."""
        for role in roles:
            self.carry_out(self.message(role, node))
            self.settle_turns()

    def let_fail(
        self, role: str, family: type, node: int | None = 0, *, after_acting: bool = False
    ) -> None:
        self.fail(self.message(role, node), family, after_acting=after_acting)
        self.settle_turns()

    def let_pend(self, role: str, node: int | None = 0, *, deadline_s: float = 30.0) -> None:
        self.wait_for(self.message(role, node, WorkKind.RUN), deadline_s=deadline_s)
        self.settle_turns()

    def lose_worker(self, role: str, node: int | None = 0, *, after_acting: bool = False) -> None:
        """The worker dies with it, and its lease ends."""
        self.lose(self.message(role, node), after_acting=after_acting)
        self.clock.pass_s(61.0)
        self.settle_turns()

    def stopped(self, role: str, node: int | None = 0, *, outcome: Any = None) -> None:
        """The worker that was asked to stop it says how that went."""
        message = self.message(role, node, WorkKind.STOP)
        self.dispatcher.messages.remove(message)
        self.answer(message, outcome or NotDone("stopped"))
        self.settle_turns()

    def pass_s(self, seconds: float) -> None:
        self.clock.pass_s(seconds)
        self.settle_turns()

    def power_message(self, node: int = 0) -> Message | None:
        self.settle_turns()
        unit_id = self.nodes[node]
        for message in self.dispatcher.messages:
            if message.kind is WorkKind.POWER and message.unit.id == unit_id:
                return message
        return None

    def cycle(self, node: int = 0) -> None:
        """The node's power cycle is carried out."""
        message = self.power_message(node)
        assert message is not None, f"no power cycle was started:\n{self.describe()}"
        self.carry_out(message)
        self.settle_turns()

    def open_cycles(self) -> int:
        runs = self.whole_graph().runs.values()
        return sum(run.kind is RunKind.CYCLE and run.is_open for run in runs)

    def counted_reboots(self, node: int = 0) -> int:
        return int(self.node_of(node).epochs.reboot)
