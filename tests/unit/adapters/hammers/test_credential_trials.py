"""Credential sets are tried one a minute, the proven one first, and nothing locks out."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from readystate.adapters.hammers.credential_trials import CredentialTrials
from readystate.domain.errors import Busy, Refused, Unreachable, WorkError
from readystate.domain.ids import DeploymentId
from readystate.domain.secret import Secret
from readystate.ports.hammer import BmcEndpoint
from readystate.ports.store import CredentialSet

BMC = "127.0.1.7"
BOTH = {"redfish": 443, "ipmi": 623}
SETS = tuple(
    CredentialSet(name, DeploymentId(1), name, Secret(f"pw-{name}"), position)
    for position, name in enumerate(("site", "vendor", "old"))
)


@dataclass
class Bench:
    """A BMC that accepts `accepted` user names, by protocol."""

    accepted: dict[str, str] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    at: datetime = datetime(2026, 1, 1, 12, tzinfo=UTC)
    tried: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.trials = CredentialTrials(self, self.log_in)

    def now(self) -> datetime:
        return self.at

    def log_in(self, endpoint: BmcEndpoint) -> None:
        if endpoint.protocol in self.silent:
            raise Unreachable("silent")
        self.tried.append((endpoint.protocol, endpoint.username))
        if self.accepted.get(endpoint.protocol) != endpoint.username:
            raise Refused("no", why="wrong password")

    def prove(self, protocols: dict[str, int | None] | None = None) -> list[tuple[str, str]]:
        found = self.trials.prove(BMC, protocols or dict(BOTH), SETS)
        return [(item.protocol, item.credential) for item in found]

    def wait(self, seconds: float = 60) -> None:
        self.at += timedelta(seconds=seconds)


def test_the_first_set_that_works_proves_every_protocol() -> None:
    bench = Bench({"redfish": "site", "ipmi": "site"})

    assert [("redfish", "site"), ("ipmi", "site")] == bench.prove()


def test_a_proven_endpoint_can_be_used() -> None:
    found = Bench({"redfish": "site"}).trials.prove(BMC, {"redfish": 8443}, SETS)

    site = Secret("pw-site")
    assert (BmcEndpoint(BMC, "redfish", "site", site, port=8443, credential="site"),) == found


def test_after_a_refusal_nothing_touches_the_bmc_for_a_minute() -> None:
    bench = Bench({"redfish": "vendor", "ipmi": "vendor"})
    with pytest.raises(Busy, match="1 of 3 credential sets refused") as caught:
        bench.prove()
    assert "the next trial is allowed at 12:01:00 UTC" == caught.value.hint

    bench.wait(59)
    with pytest.raises(Busy, match="quick trials lock accounts"):
        bench.prove()
    assert [("redfish", "site")] == bench.tried


def test_a_minute_later_the_next_set_is_tried() -> None:
    bench = Bench({"redfish": "vendor"})
    with pytest.raises(Busy):
        bench.prove({"redfish": None})
    bench.wait()

    assert [("redfish", "vendor")] == bench.prove({"redfish": None})
    assert [("redfish", "site"), ("redfish", "vendor")] == bench.tried


def test_when_all_sets_are_refused_a_person_is_asked() -> None:
    bench = Bench()
    raised: list[type[WorkError]] = []
    for _ in SETS:
        with pytest.raises((Busy, Refused)) as caught:
            bench.prove({"redfish": None})
        raised.append(caught.type)
        bench.wait()
    assert [Busy, Busy, Refused] == raised

    bench.accepted["redfish"] = "site"  # the person corrects it: a new round begins
    assert [("redfish", "site")] == bench.prove({"redfish": None})


def test_the_proven_set_comes_first_next_time() -> None:
    bench = Bench({"redfish": "vendor"})
    with pytest.raises(Busy):
        bench.prove({"redfish": None})
    bench.wait()
    bench.prove({"redfish": None})
    bench.tried.clear()
    bench.prove({"redfish": None})

    assert [("redfish", "vendor")] == bench.tried


def test_one_protocol_is_enough() -> None:
    bench = Bench({"redfish": "site", "ipmi": "vendor"})
    assert [("redfish", "site")] == bench.prove()

    bench.wait()
    assert [("redfish", "site"), ("ipmi", "vendor")] == bench.prove()


def test_silence_is_no_refusal() -> None:
    bench = Bench(silent={"redfish", "ipmi"})

    with pytest.raises(Unreachable):
        bench.prove()
    assert bench.trials.next_at(BMC) is None


def test_a_changed_password_starts_over_without_a_second_try() -> None:
    bench = Bench({"redfish": "site"})
    bench.prove({"redfish": None})
    bench.accepted["redfish"] = "old"
    bench.tried.clear()

    with pytest.raises(Busy, match="1 of 3"):
        bench.prove({"redfish": None})
    with pytest.raises(Busy):
        bench.prove({"redfish": None})
    assert [("redfish", "site")] == bench.tried


def test_endpoints_of_the_engine_can_be_proven_as_they_are() -> None:
    bench = Bench({"ipmi": "site"}, silent={"redfish"})
    endpoints = [
        BmcEndpoint(BMC, protocol, item.username, item.password, credential=item.name)
        for protocol in BOTH
        for item in SETS
    ]

    assert endpoints[3:4] == list(bench.trials.prove_endpoints(endpoints))


def test_no_sets_and_no_protocols_are_refused() -> None:
    with pytest.raises(Refused, match="no credential sets"):
        Bench().trials.prove(BMC, BOTH, ())
    with pytest.raises(Refused, match="no protocol"):
        Bench().trials.prove(BMC, {}, SETS)


def test_forgetting_a_bmc_ends_its_wait() -> None:
    bench = Bench()
    with pytest.raises(Busy):
        bench.prove()
    bench.trials.forget(BMC)

    assert bench.trials.next_at(BMC) is None
