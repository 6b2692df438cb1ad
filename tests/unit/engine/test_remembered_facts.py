"""What is learned of a machine: which of it says that the machine is another one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from readystate.domain.errors import Unsupported
from readystate.domain.graph import Graph
from readystate.domain.ids import DeploymentId, NodeId
from readystate.domain.node import BmcAccess, Node
from readystate.engine.run_context import ProvenFirst, remember_facts, with_unproven
from readystate.ports.hammer import CapabilityT, PowerControl

NOW = datetime(2026, 1, 1, tzinfo=UTC)
UUID, SWAPPED = "00112233-4455-6677-8899-aabbccddeeff", "33221100-5544-7766-8899-aabbccddeeff"
REDFISH = BmcAccess("redfish", "127.0.1.1", 443, "rack")
IPMI = BmcAccess("ipmi", "127.0.1.1", None, "rack")


def remembered(node: Node, facts: Mapping[str, Any]) -> Node:
    graph = Graph(books={}, values=cast(Any, None), ancestry={}, nodes={node.id: node})
    remember_facts(graph, node.id, facts, NOW)
    return graph.nodes[node.id]


def node(**known: Any) -> Node:
    return Node(NodeId(1), "node-1", DeploymentId(1), **known)


@pytest.mark.parametrize(
    ("known", "seen", "moves"),
    [
        ({}, {"uuid": UUID, "serial": "A"}, 0),
        ({"uuid": UUID, "serial": "A"}, {"uuid": UUID, "serial": "A"}, 0),
        ({"uuid": UUID}, {"uuid": SWAPPED}, 0),
        ({"uuid": UUID}, {"uuid": UUID.upper()}, 0),
        ({"uuid": UUID}, {"uuid": UUID[:-1] + "e"}, 1),
        ({"serial": "A"}, {"serial": "B"}, 1),
        ({"serial": "A"}, {"serial": "a"}, 1),
        ({"serial": ""}, {"serial": "B"}, 0),
        ({"serial": "A", "uuid": UUID}, {"serial": "B", "uuid": SWAPPED}, 1),
    ],
)
def test_another_uuid_or_serial_is_other_hardware(
    known: dict[str, Any], seen: dict[str, Any], moves: int
) -> None:
    assert moves == remembered(node(**known), seen).epochs.hardware_change


def test_one_uuid_keeps_its_spelling() -> None:
    """Confirmations are bound to it."""
    before = node(uuid=UUID, serial="A")

    assert before.identity == remembered(before, {"uuid": SWAPPED, "serial": "A"}).identity


def test_a_protocol_that_gave_no_answer_is_kept_to_be_proven_anew() -> None:
    proven = {"protocol": "ipmi", "address": "127.0.1.1", "port": None, "credential": "other"}

    before = node(bmc=(REDFISH, IPMI))
    kept = remembered(before, with_unproven(before, {"bmc": [proven]})).bmc

    assert (
        BmcAccess("redfish", "127.0.1.1", 443, None),
        BmcAccess("ipmi", "127.0.1.1", None, "other"),
    ) == kept


@dataclass
class Offers:
    """Hammers with one capability at the most."""

    name: str = ""
    picked: list[str] = field(default_factory=list)

    def pick(self, capability: type[CapabilityT]) -> CapabilityT:
        if not self.name:
            raise Unsupported(f"no hammer with {capability.__name__}")
        self.picked.append(self.name)
        return cast(CapabilityT, self.name)

    def used(self) -> Sequence[str]:
        return self.picked


@pytest.mark.parametrize(
    ("proven", "every", "picked"), [("ipmi", "redfish", "ipmi"), ("", "redfish", "redfish")]
)
def test_a_set_that_is_not_proven_is_only_the_last_resort(
    proven: str, every: str, picked: str
) -> None:
    hammers = ProvenFirst(Offers(proven), Offers(every))

    assert picked == cast(str, hammers.pick(PowerControl))
    assert (picked,) == hammers.used()
