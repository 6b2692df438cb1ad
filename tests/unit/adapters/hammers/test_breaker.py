"""The breaker opens on silence only, waits longer each time, and lets one call probe."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from readystate.adapters.hammers.breaker import Breakers
from readystate.domain.errors import Busy, Refused, Unreachable, WorkError

BMC = "127.0.1.7"
START = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass
class StoppedClock:
    at: datetime = START

    def now(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Bench:
    clock: StoppedClock = field(default_factory=StoppedClock)
    calls: int = 0

    def __post_init__(self) -> None:
        self.breakers = Breakers(self.clock)

    def call(self, error: WorkError | None = None, address: str = BMC) -> str:
        def work() -> str:
            self.calls += 1
            if error:
                raise error
            return "answer"

        return self.breakers.guard(address, work)

    def fail(self, times: int, error: WorkError | None = None) -> None:
        for _ in range(times):
            with pytest.raises((Unreachable, Busy, Refused)):
                self.call(error or Unreachable("silent"))


@pytest.mark.parametrize("error", [Unreachable("silent"), Busy("later")])
def test_three_failures_in_a_row_open_it(error: WorkError) -> None:
    bench = Bench()
    bench.fail(2, error)
    assert bench.breakers.open_until(BMC) is None

    bench.fail(1, error)
    assert START + timedelta(seconds=5) == bench.breakers.open_until(BMC)


def test_an_open_breaker_refuses_at_once_and_says_until_when() -> None:
    bench = Bench()
    bench.fail(3)

    with pytest.raises(Unreachable, match=r"left alone until 12:00:05 UTC.*silent"):
        bench.call()
    assert bench.calls == 3


def test_refusals_never_open_it_and_prove_that_the_bmc_is_alive() -> None:
    bench = Bench()
    bench.fail(2)
    bench.fail(1, Refused("wrong password"))
    bench.fail(2)
    bench.fail(5, Refused("wrong password"))

    assert bench.breakers.open_until(BMC) is None


def test_an_answer_closes_it() -> None:
    bench = Bench()
    bench.fail(3)
    bench.clock.advance(5)

    assert "answer" == bench.call()
    bench.fail(2)
    assert bench.breakers.open_until(BMC) is None


def test_each_failed_probe_doubles_the_wait_up_to_a_minute() -> None:
    bench = Bench()
    bench.fail(3)
    waits = []
    for _ in range(6):
        until = bench.breakers.open_until(BMC)
        assert until is not None
        waits.append((until - bench.clock.now()).total_seconds())
        bench.clock.at = until
        bench.fail(1)

    assert [5, 10, 20, 40, 60, 60] == waits


def test_only_one_call_probes() -> None:
    bench = Bench()
    bench.fail(3)
    bench.clock.advance(5)

    def probe() -> str:
        with pytest.raises(Unreachable, match="left alone"):
            bench.call()
        return "probed"

    assert "probed" == bench.breakers.guard(BMC, probe)
    assert "answer" == bench.call()


def test_one_bmc_s_breaker_is_not_another_s() -> None:
    bench = Bench()
    bench.fail(3)

    assert "answer" == bench.call(address="127.0.1.8")
