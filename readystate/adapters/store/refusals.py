"""What a database refuses, in our words."""

from readystate.domain.errors import Conflict
from readystate.ports.store import StoreError as StoreError


class HeldElsewhere(StoreError):
    """Another process may write to the PostgreSQL database: this one must not, until it may."""


#: Table -> what its unique constraint holds apart.
_TAKEN = {
    "run_lanes": "another run occupies that lane of the node",
    "node_roles": "the role is already bound there",
    "nodes": "another node bears that name, UUID or serial number",
    "node_macs": "another node bears that MAC address",
    "deployments": "another deployment bears that name",
    "addresses": "the address has another holder, or the node another address",
    "edges": "the two node-roles are already joined by an edge",
}


def value_refused(unique_in: str, text: str) -> Conflict:
    """`unique_in` is the table of a unique constraint that was violated, or empty."""
    return Conflict(_TAKEN.get(unique_in, "the database refused a value"), why=text)
