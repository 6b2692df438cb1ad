"""Finding the credentials of a BMC without locking its accounts.

BMCs lock a user, or the whole address, after a few refused logins. So after a refused trial the
next one on that BMC waits a minute, and the set that worked last is tried first."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from readystate.domain.errors import Busy, Refused, WorkError
from readystate.ports.clock import Clock
from readystate.ports.hammer import BmcEndpoint

REFUSAL_WAIT_S = 60.0

#: Logs in at the endpoint and reads something: raises the work families of the hammers.
TryLogin = Callable[[BmcEndpoint], None]

#: The sets of one protocol, by name.
_Sets = Mapping[str, BmcEndpoint]


class Waits(Protocol):
    """When the next trial on a BMC is allowed, kept over a restart."""

    def read(self, address: str) -> datetime | None: ...

    def put(self, address: str, at: datetime) -> None: ...


@dataclass
class _Bmc:
    next_at: datetime | None  #: when a set that is not proven may be tried again
    lock: threading.Lock = field(default_factory=threading.Lock)
    refused: set[BmcEndpoint] = field(default_factory=set)  #: in this round
    proven: dict[str, str] = field(default_factory=dict)  #: the set that worked last, by protocol


class CredentialTrials:
    """Thread-safe. What was refused is remembered by address, in memory."""

    def __init__(
        self,
        clock: Clock,
        try_login: TryLogin,
        waits: Waits,
        *,
        refusal_wait_s: float = REFUSAL_WAIT_S,
    ) -> None:
        self._clock = clock
        self._try_login = try_login
        self._waits = waits
        self._refusal_wait = timedelta(seconds=refusal_wait_s)
        self._bmcs: dict[str, _Bmc] = {}
        self._lock = threading.Lock()

    def prove_endpoints(self, endpoints: Sequence[BmcEndpoint]) -> tuple[BmcEndpoint, ...]:
        """Log in at each protocol of one BMC, with the sets (`credential`) in the order given; one
        endpoint for each protocol that let us in.

        When none did, raises what stands in the way: Busy while there is something left to try,
        for the next pass, a minute later, goes on with the next set of the protocol that has
        refused the fewest; else what kept a protocol from answering; Refused only when every
        protocol refused every set, and a later call begins a new round when the minute is over.
        Nothing touches the BMC within the minute, except with the set that worked last."""
        if not endpoints:
            raise Refused("no protocol of a BMC to try", hint="scan for the BMC first")
        by_protocol: dict[str, dict[str, BmcEndpoint]] = {}
        for endpoint in endpoints:
            by_protocol.setdefault(endpoint.protocol, {})[endpoint.credential] = endpoint
        bmc = self._bmc(endpoints[0].address)
        with bmc.lock:
            self._begin_round(bmc, endpoints)
            return self._prove(bmc, by_protocol)

    # -- inside --------------------------------------------------------------------------------

    def _bmc(self, address: str) -> _Bmc:
        with self._lock:
            known = self._bmcs.get(address)
            if known is None:
                known = self._bmcs[address] = _Bmc(self._waits.read(address))
            return known

    def _begin_round(self, bmc: _Bmc, endpoints: Sequence[BmcEndpoint]) -> None:
        """Whoever asks again after everything was refused wants all of it tried again, in time."""
        if not all(_login(item) in bmc.refused for item in endpoints):
            return
        if self._must_wait(bmc):
            raise Busy(
                f"{endpoints[0].address}: every credential set was refused a moment ago",
                why="quick trials lock accounts",
                hint=f"they are tried again at {bmc.next_at:%H:%M:%S} UTC",
            )
        bmc.refused.clear()

    def _must_wait(self, bmc: _Bmc) -> bool:
        return bmc.next_at is not None and bmc.next_at > self._clock.now()

    def _prove(self, bmc: _Bmc, by_protocol: Mapping[str, _Sets]) -> tuple[BmcEndpoint, ...]:
        proven: dict[str, BmcEndpoint] = {}
        errors: list[WorkError] = []
        for protocol, sets in sorted(by_protocol.items(), key=lambda it: _refused(bmc, it[1])):
            try:
                proven[protocol] = self._prove_one(bmc, sets)
            except WorkError as error:
                errors.append(error)
        if not proven:
            raise min(errors, key=_weight)
        return tuple(proven[protocol] for protocol in by_protocol if protocol in proven)

    def _prove_one(self, bmc: _Bmc, sets: _Sets) -> BmcEndpoint:
        endpoint = self._candidate(bmc, sets)
        try:
            self._try_login(endpoint)
        except Refused as error:
            bmc.proven.pop(endpoint.protocol, None)
            bmc.refused.add(_login(endpoint))
            bmc.next_at = self._clock.now() + self._refusal_wait
            self._waits.put(endpoint.address, bmc.next_at)
            why = f"{endpoint.credential!r}: {error.why or error.what}"
            raise self._verdict(bmc, sets, why) from error
        bmc.proven[endpoint.protocol] = endpoint.credential
        bmc.refused -= {_login(item) for item in sets.values()}
        return endpoint

    def _candidate(self, bmc: _Bmc, sets: _Sets) -> BmcEndpoint:
        """Raises the verdict where nothing may be tried now, or nothing is left."""
        first = next(iter(sets.values()))
        last = bmc.proven.get(first.protocol, "")
        if last in sets:
            return sets[last]
        if self._must_wait(bmc):
            raise self._verdict(bmc, sets, "quick trials lock accounts")
        left = [item for item in sets.values() if _login(item) not in bmc.refused]
        if not left:
            raise self._verdict(bmc, sets, "the other protocols come first")
        return left[0]

    def _verdict(self, bmc: _Bmc, sets: _Sets, why: str) -> WorkError:
        tried = _refused(bmc, sets)
        family = Refused if tried == len(sets) else Busy
        first = next(iter(sets.values()))
        when = f"{bmc.next_at:%H:%M:%S} UTC" if bmc.next_at else "once"
        return family(
            f"{first.address}: {tried} of {len(sets)} credential sets refused"
            f" over {first.protocol}",
            why=why,
            hint=f"the next trial is allowed at {when}",
        )


def _refused(bmc: _Bmc, sets: _Sets) -> int:
    return sum(_login(item) in bmc.refused for item in sets.values())


def _login(endpoint: BmcEndpoint) -> BmcEndpoint:
    """What the BMC sees of it: a password that was corrected is another login."""
    return replace(endpoint, vendor="", model="", firmware="", credential="")


def _weight(error: WorkError) -> int:
    """What a person has to decide comes last: as long as anything may still let us in, it does."""
    return 0 if isinstance(error, Busy) else 2 if isinstance(error, Refused) else 1
