"""Credential sets are tried one a minute, the proven one first, and nothing locks out."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from readystate.adapters.hammers.credential_trials import CredentialTrials
from readystate.domain.errors import Busy, Refused, Unreachable, WorkError
from readystate.domain.ids import DeploymentId
from readystate.domain.secret import Secret
from readystate.ports.hammer import BmcEndpoint
from readystate.ports.store import CredentialSet

BMC = "127.0.1.7"
BOTH = ("redfish", "ipmi")
SETS = tuple(
    CredentialSet(name, DeploymentId(1), name, Secret(f"pw-{name}"), position)
    for position, name in enumerate(("site", "vendor", "old"))
)


def endpoints(*protocols: str) -> list[BmcEndpoint]:
    """As the engine gives them: each protocol with each set."""
    return [
        BmcEndpoint(BMC, protocol, item.username, item.password, credential=item.name)
        for protocol in protocols
        for item in SETS
    ]


@dataclass
class Bench:
    """A BMC that accepts `accepted` user names, by protocol."""

    accepted: dict[str, str] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    at: datetime = datetime(2026, 1, 1, 12, tzinfo=UTC)
    tried: list[tuple[str, str]] = field(default_factory=list)
    waits: dict[str, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.trials = CredentialTrials(self, self.log_in, self)

    def read(self, address: str) -> datetime | None:
        return self.waits.get(address)

    def put(self, address: str, at: datetime) -> None:
        self.waits[address] = at

    def now(self) -> datetime:
        return self.at

    def log_in(self, endpoint: BmcEndpoint) -> None:
        if endpoint.protocol in self.silent:
            raise Unreachable("silent")
        self.tried.append((endpoint.protocol, endpoint.username))
        if self.accepted.get(endpoint.protocol) != endpoint.username:
            raise Refused("no", why="wrong password")

    def prove(self, *protocols: str) -> list[tuple[str, str]]:
        found = self.trials.prove_endpoints(endpoints(*protocols or BOTH))
        return [(item.protocol, item.credential) for item in found]

    def wait(self, seconds: float = 60) -> None:
        self.at += timedelta(seconds=seconds)


def test_the_first_set_that_works_proves_every_protocol() -> None:
    bench = Bench({"redfish": "site", "ipmi": "site"})

    assert [("redfish", "site"), ("ipmi", "site")] == bench.prove()


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
        bench.prove("redfish")
    bench.wait()

    assert [("redfish", "vendor")] == bench.prove("redfish")
    assert [("redfish", "site"), ("redfish", "vendor")] == bench.tried


def test_when_all_sets_are_refused_a_person_is_asked() -> None:
    bench = Bench()
    raised: list[type[WorkError]] = []
    for _ in SETS:
        with pytest.raises((Busy, Refused)) as caught:
            bench.prove("redfish")
        raised.append(caught.type)
        bench.wait()
    assert [Busy, Busy, Refused] == raised

    bench.accepted["redfish"] = "site"  # the person corrects it: a new round begins
    assert [("redfish", "site")] == bench.prove("redfish")


def test_a_retry_within_the_minute_waits_for_a_new_round() -> None:
    """A person said retry: that is no reason to ask the person again, nor to try at once."""
    bench = Bench()
    for _ in SETS[1:]:
        with pytest.raises(Busy):
            bench.prove("redfish")
        bench.wait()
    with pytest.raises(Refused):
        bench.prove("redfish")
    bench.accepted["redfish"] = "site"
    before = list(bench.tried)

    with pytest.raises(Busy, match="every credential set was refused"):
        bench.prove("redfish")
    assert before == bench.tried

    bench.wait()
    assert [("redfish", "site")] == bench.prove("redfish")


def test_the_proven_set_comes_first_next_time() -> None:
    bench = Bench({"redfish": "vendor"})
    with pytest.raises(Busy):
        bench.prove("redfish")
    bench.wait()
    bench.prove("redfish")
    bench.tried.clear()
    bench.prove("redfish")

    assert [("redfish", "vendor")] == bench.tried


def test_one_protocol_is_enough() -> None:
    bench = Bench({"redfish": "site", "ipmi": "vendor"})
    assert [("redfish", "site")] == bench.prove()

    bench.wait()
    assert [("redfish", "site"), ("ipmi", "vendor")] == bench.prove()


def test_every_protocol_gets_its_turn_before_a_person_is_asked() -> None:
    bench = Bench()
    raised: list[type[WorkError]] = []
    for _ in range(6):
        with pytest.raises((Busy, Refused)) as caught:
            bench.prove()
        raised.append(caught.type)
        bench.wait()

    assert [("redfish", "site"), ("ipmi", "site"), ("redfish", "vendor")] == bench.tried[:3]
    assert 6 == len(set(bench.tried))
    assert [Busy] * 5 + [Refused] == raised


def test_what_is_silent_may_still_let_us_in() -> None:
    bench = Bench({"ipmi": "site"}, silent={"ipmi"})
    for _ in SETS:
        with pytest.raises(WorkError):
            bench.prove()
        bench.wait()
    with pytest.raises(Unreachable):
        bench.prove()
    assert [("redfish", item.name) for item in SETS] == bench.tried

    bench.silent.clear()
    assert [("ipmi", "site")] == bench.prove()


def test_a_set_that_was_corrected_is_tried_though_the_old_one_was_refused() -> None:
    bench = Bench(silent={"ipmi"})
    for _ in SETS:
        with pytest.raises(WorkError):
            bench.prove()
        bench.wait()
    bench.accepted["redfish"] = "site"
    corrected = replace(endpoints("redfish")[0], password=Secret("right"))

    found = bench.trials.prove_endpoints([corrected, *endpoints(*BOTH)[1:]])
    assert (corrected,) == found


def test_silence_is_no_refusal() -> None:
    bench = Bench(silent={"redfish", "ipmi"})

    with pytest.raises(Unreachable):
        bench.prove()
    assert {} == bench.waits


def test_a_restart_does_not_shorten_the_wait() -> None:
    bench = Bench({"redfish": "vendor"})
    with pytest.raises(Busy):
        bench.prove("redfish")
    bench.restart()

    with pytest.raises(Busy, match="quick trials lock accounts"):
        bench.prove("redfish")
    assert [("redfish", "site")] == bench.tried


def test_a_changed_password_starts_over_without_a_second_try() -> None:
    bench = Bench({"redfish": "site"})
    bench.prove("redfish")
    bench.accepted["redfish"] = "old"
    bench.tried.clear()

    with pytest.raises(Busy, match="1 of 3"):
        bench.prove("redfish")
    with pytest.raises(Busy):
        bench.prove("redfish")
    assert [("redfish", "site")] == bench.tried


def test_what_let_us_in_is_given_back_as_it_came() -> None:
    bench = Bench({"ipmi": "site"}, silent={"redfish"})
    asked = endpoints(*BOTH)

    assert (asked[3],) == bench.trials.prove_endpoints(asked)


def test_no_protocols_are_refused() -> None:
    with pytest.raises(Refused, match="no protocol"):
        Bench().trials.prove_endpoints(())
