"""bmc-managed: what is claimed is proven, and what the machine itself told stands."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from readystate.adapters.jigs.calls.bmc import BmcManaged
from readystate.domain.errors import Refused
from readystate.domain.outcome import Succeeded
from readystate.domain.secret import Secret
from readystate.ports.hammer import BmcEndpoint
from tests.fakes.hammers import FakeHammer, FakeHammers
from tests.fakes.recording_context import RecordingContext
from tests.unit.adapters.jigs.calls.tickets import NODE, ticket_of

REDFISH, IPMI = (
    BmcEndpoint("127.0.1.1", protocol, "admin", Secret("x"), credential="rack")
    for protocol in ("redfish", "ipmi")
)
PROVEN_IPMI = {"protocol": "ipmi", "address": "127.0.1.1", "port": None, "credential": "rack"}


def only_ipmi(endpoints: Sequence[BmcEndpoint]) -> Sequence[BmcEndpoint]:
    return [item for item in endpoints if item.protocol == "ipmi"]


def nobody(endpoints: Sequence[BmcEndpoint]) -> Sequence[BmcEndpoint]:
    raise Refused("no set lets us in", why=str(len(endpoints)))


@pytest.fixture
def context() -> RecordingContext:
    hammers = FakeHammers({"ipmi@127.0.1.1": FakeHammer()})
    return RecordingContext(known=(REDFISH, IPMI), reached=hammers)


@pytest.mark.parametrize("verb", ["run", "check"])
def test_it_claims_the_protocols_that_let_us_in(context: RecordingContext, verb: str) -> None:
    outcome = getattr(BmcManaged(only_ipmi), verb)(ticket_of("bmc_prove"), context)

    assert Succeeded({"protocols": ["ipmi"]}) == outcome
    assert [PROVEN_IPMI] == context.facts["bmc"]


@pytest.mark.parametrize("verb", ["run", "check"])
def test_sets_that_are_refused_are_not_claimed(context: RecordingContext, verb: str) -> None:
    with pytest.raises(Refused):
        getattr(BmcManaged(nobody), verb)(ticket_of("bmc_prove"), context)

    assert {} == context.facts


def test_no_sets_at_all_are_refused() -> None:
    with pytest.raises(Refused, match="no credentials"):
        BmcManaged(only_ipmi).run(ticket_of("bmc_prove"), RecordingContext())


@pytest.mark.parametrize(
    ("uuid", "serial", "told"),
    [
        (None, None, {"uuid", "serial"}),
        ("other", None, {"serial"}),
        (None, "other", {"uuid"}),
        ("other", "other", set()),
    ],
)
def test_the_bmc_tells_only_the_identity_that_is_not_known(
    context: RecordingContext, uuid: str | None, serial: str | None, told: set[str]
) -> None:
    node = replace(NODE, uuid=uuid, serial=serial)

    BmcManaged(only_ipmi).run(ticket_of("bmc_prove", node=node), context)

    assert told | {"bmc", "vendor", "model"} == set(context.facts)


def test_what_the_bmc_does_not_know_is_not_stored(context: RecordingContext) -> None:
    machine = FakeHammer()
    machine.inventory = replace(machine.inventory, uuid="", serial="", model="")
    context.reached = FakeHammers({"ipmi@127.0.1.1": machine})

    BmcManaged(only_ipmi).run(ticket_of("bmc_prove"), context)

    assert {"bmc", "vendor"} == set(context.facts)
