"""What a worker proves of a BMC is kept, and used before what is not proven."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace

import pytest

from readystate.domain.errors import Refused
from readystate.domain.node import BmcAccess, Node
from readystate.domain.role import Lane
from readystate.domain.secret import Secret
from readystate.engine.run_context import EngineRunContext
from readystate.ports.hammer import BmcEndpoint, PowerControl
from readystate.ports.store import CredentialSet, Transaction
from tests.fakes.hammers import FakeHammerRegistry, FakeHammers
from tests.property.scenario import Rig, make_role

MakeRig = Callable[..., Rig]
ADDRESS = "127.0.9.9"
REDFISH, IPMI = BmcAccess("redfish", ADDRESS), BmcAccess("ipmi", ADDRESS)


class RedfishFirst(FakeHammerRegistry):
    """In the order of the real one."""

    def hammers(self, endpoints: Sequence[BmcEndpoint]) -> FakeHammers:
        return super().hammers(sorted(endpoints, key=lambda it: it.protocol != "redfish"))


@dataclass
class Worker:
    """One that proves the BMC of the rig's node."""

    rig: Rig
    context: EngineRunContext = field(init=False)

    def __post_init__(self) -> None:
        rig = self.rig
        rig.bind("prove")
        rig.observe(rig.nodes[0], {"bmc": [asdict(REDFISH), asdict(IPMI)]})
        rig.write(self._put_credentials)
        self.context = rig.context(rig.message("prove"))
        self.context._around = replace(self.context._around, hammers=RedfishFirst())

    def _put_credentials(self, tx: Transaction) -> None:
        for position, name in enumerate(("factory", "rack")):
            deployment_id = self.node.deployment_id
            tx.put_credentials(CredentialSet(name, deployment_id, "admin", Secret("x"), position))

    @property
    def node(self) -> Node:
        found: Node = self.rig.read(lambda reader: reader.node(self.rig.nodes[0]))
        return found


def test_a_protocol_without_an_answer_is_kept_to_be_proven_anew(make_rig: MakeRig) -> None:
    worker = Worker(make_rig(make_role("prove", lane=Lane.BMC)))
    proven = replace(IPMI, credential="rack")

    worker.context.remember({"bmc": [asdict(proven)]})

    assert (REDFISH, proven) == worker.node.bmc
    assert [("redfish", "factory"), ("redfish", "rack"), ("ipmi", "rack")] == [
        (item.protocol, item.credential) for item in worker.context.endpoints()
    ]


def test_the_proven_protocol_is_used_before_a_better_one_that_is_not(make_rig: MakeRig) -> None:
    worker = Worker(make_rig(make_role("prove", lane=Lane.BMC)))
    worker.context.remember({"bmc": [asdict(replace(IPMI, credential="rack"))]})

    worker.context.hammers().pick(PowerControl)

    assert (f"ipmi@{ADDRESS}",) == worker.context.hammers_used()


def test_nobody_logs_in_with_what_is_not_proven(make_rig: MakeRig) -> None:
    """It would be a trial without the pause that keeps accounts from being locked."""
    worker = Worker(make_rig(make_role("prove", lane=Lane.BMC)))

    with pytest.raises(Refused, match="no credentials of this BMC are proven yet") as caught:
        worker.context.hammers()
    assert "bmc-managed" in caught.value.hint
    assert 4 == len(worker.context.endpoints())


def test_another_protocol_is_asked_only_with_a_set_that_the_bmc_has_taken(
    make_rig: MakeRig,
) -> None:
    worker = Worker(make_rig(make_role("prove", lane=Lane.BMC)))
    worker.context.remember({"bmc": [asdict(replace(IPMI, credential="rack"))]})
    asked: list[set[str]] = []

    class Recording(RedfishFirst):
        def hammers(self, endpoints: Sequence[BmcEndpoint]) -> FakeHammers:
            asked.append({item.credential for item in endpoints})
            return super().hammers(endpoints)

    worker.context._around = replace(worker.context._around, hammers=Recording())

    worker.context.hammers()

    assert [{"rack"}, {"rack"}] == asked
