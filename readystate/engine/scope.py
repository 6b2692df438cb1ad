"""Which deployments lie inside another."""

from readystate.domain.ids import DeploymentId
from readystate.ports.store import Reader


def deployments_inside(reader: Reader, root: DeploymentId) -> set[DeploymentId]:
    """The deployment and everything below it."""
    parents = {item.id: item.parent_id for item in reader.deployments()}
    inside = {root}
    while True:
        more = {item for item, above in parents.items() if above in inside} - inside
        if not more:
            return inside
        inside |= more
