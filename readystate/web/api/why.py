"""/why: the causal chain, its root causes, and the smallest fix."""

from fastapi import APIRouter

from readystate.domain.ids import NodeRoleId
from readystate.engine.explain import Link, Root, Why, explain
from readystate.engine.naming import get_node, get_node_role
from readystate.engine.smallest_fix import Fix
from readystate.ports.store import Reader
from readystate.web.api.node_role import BlockerOut
from readystate.web.auth import WithCaller
from readystate.web.deps import WithServices
from readystate.web.shape import Page, Shape

router = APIRouter(prefix="/why", tags=["why"])


class LinkOut(Shape):
    node_role: int
    path: str
    state: str
    blockers: list[BlockerOut]

    @classmethod
    def of(cls, link: Link) -> "LinkOut":
        path = _path(link.node, link.role)
        return cls(
            node_role=link.node_role_id,
            path=path,
            state=link.state,
            blockers=[BlockerOut.of(item, node_role=path) for item in link.blockers],
        )


class RootOut(Shape):
    """A cause that is not the effect of another one."""

    node_role: int
    path: str
    bmc: str
    """Its address, where a BMC is part of it."""
    blocker: BlockerOut

    @classmethod
    def of(cls, root: Root) -> "RootOut":
        path = _path(root.node, root.role)
        return cls(
            node_role=root.node_role_id,
            path=path,
            bmc=root.bmc,
            blocker=BlockerOut.of(root.blocker, node_role=path),
        )


class FixOut(Shape):
    """One fact that a person has to change."""

    verb: str
    subject: str
    node_role: int
    command: str
    """What to type. A `readystate plan` counts once its proposal is committed."""
    destroys: bool
    """It says yes to destructive work."""

    @classmethod
    def of(cls, fix: Fix) -> "FixOut":
        return cls(
            verb=fix.verb.value,
            subject=fix.subject,
            node_role=fix.node_role_id,
            command=fix.command,
            destroys=fix.destroys,
        )


class WhyOut(Shape):
    path: str
    settled: bool
    runnable: bool
    """Nothing stands in its way: it runs in the next turn, or is settled."""
    chain: list[LinkOut]
    """Nearest first."""
    roots: list[RootOut]
    fix: list[FixOut]
    """Irreducible, assuming that other runs succeed; empty: only time is needed."""

    @classmethod
    def of(cls, why: Why, *, is_settled: bool) -> "WhyOut":
        first = why.chain[0]
        return cls(
            path=_path(first.node, first.role),
            settled=is_settled,
            runnable=why.is_runnable,
            chain=[LinkOut.of(item) for item in why.chain],
            roots=[RootOut.of(item) for item in why.roots],
            fix=[FixOut.of(item) for item in why.fix],
        )


def _path(node: str, role: str) -> str:
    return f"{node}/{role}" if node else role


@router.get(
    "/node/{name}",
    summary="Why does a node not move? One answer for each unsettled end of its graph",
    responses={404: {"description": "No such node."}},
)
def why_node(name: str, services: WithServices, _caller: WithCaller) -> Page[WhyOut]:
    def query(reader: Reader) -> list[WhyOut]:
        return [_why(reader, item) for item in _unsettled_ends(reader, name)]

    def _why(reader: Reader, item: NodeRoleId) -> WhyOut:
        return WhyOut.of(explain(reader, item, services.now()), is_settled=False)

    return Page[WhyOut](items=services.read(query))


@router.get(
    "/{path:path}",
    summary="Why does a node-role not move?",
    responses={404: {"description": "No such node-role."}},
)
def why_node_role(path: str, services: WithServices, _caller: WithCaller) -> WhyOut:
    def query(reader: Reader) -> WhyOut:
        node_role = get_node_role(reader, path)
        return WhyOut.of(
            explain(reader, node_role.id, services.now()), is_settled=node_role.is_settled
        )

    return services.read(query)


def _unsettled_ends(reader: Reader, name: str) -> list[NodeRoleId]:
    """Unsettled node-roles that no other one of the node waits for: their chains hold the rest."""
    node = get_node(reader, name)
    unsettled = [it.id for it in reader.node_roles(node_id=node.id) if not it.is_settled]
    waited_for = {edge.parent for edge in reader.edges_among(unsettled)}
    return [item for item in unsettled if item not in waited_for]
