"""Finding the credentials of a BMC without locking its accounts.

BMCs lock a user, or the whole address, after a few refused logins. So after a refused trial the
next one on that BMC waits a minute, and the set that worked last is tried first."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from readystate.domain.errors import Busy, Refused, WorkError
from readystate.ports.clock import Clock
from readystate.ports.hammer import BmcEndpoint
from readystate.ports.store import CredentialSet

REFUSAL_WAIT_S = 60.0

#: Logs in at the endpoint and reads something: raises the work families of the hammers.
TryLogin = Callable[[BmcEndpoint], None]


@dataclass
class _Bmc:
    lock: threading.Lock = field(default_factory=threading.Lock)
    next_at: datetime | None = None  #: when a set that is not proven may be tried again
    refused: dict[str, list[str]] = field(default_factory=dict)  #: by protocol, in this round
    proven: dict[str, str] = field(default_factory=dict)  #: the set that worked last, by protocol


class CredentialTrials:
    """Thread-safe; remembers per address, in memory."""

    def __init__(
        self, clock: Clock, try_login: TryLogin, *, refusal_wait_s: float = REFUSAL_WAIT_S
    ) -> None:
        self._clock = clock
        self._try_login = try_login
        self._refusal_wait = timedelta(seconds=refusal_wait_s)
        self._bmcs: dict[str, _Bmc] = {}
        self._lock = threading.Lock()

    def next_at(self, address: str) -> datetime | None:
        """When the next set may be tried on this BMC; None = now."""
        at = self._bmc(address).next_at
        return at if at is not None and at > self._clock.now() else None

    def prove(
        self,
        address: str,
        protocols: Mapping[str, int | None],
        credential_sets: Sequence[CredentialSet],
    ) -> tuple[BmcEndpoint, ...]:
        """`prove_endpoints` for each protocol (with its port, None = its own) and each set."""
        if not credential_sets:
            raise Refused(
                f"{address}: no credential sets for this BMC",
                hint="add one to the deployment's scope",
            )
        return self.prove_endpoints(
            [
                BmcEndpoint(
                    address, protocol, item.username, item.password, port, credential=item.name
                )
                for protocol, port in protocols.items()
                for item in credential_sets
            ]
        )

    def prove_endpoints(self, endpoints: Sequence[BmcEndpoint]) -> tuple[BmcEndpoint, ...]:
        """Log in at each protocol of one BMC, with the sets (`credential`) in the order given; one
        endpoint for each protocol that let us in.

        When none did, raises what the first one said. A refusal with sets left to try is Busy: the
        next pass, a minute later, goes on with the next set. Refused means that all of them were
        refused; a later call begins a new round. Nothing touches the BMC within the minute, except
        with the set that worked last."""
        if not endpoints:
            raise Refused("no protocol of a BMC to try", hint="scan for the BMC first")
        by_protocol: dict[str, dict[str, BmcEndpoint]] = {}
        for endpoint in endpoints:
            by_protocol.setdefault(endpoint.protocol, {})[endpoint.credential] = endpoint
        proven: list[BmcEndpoint] = []
        errors: list[WorkError] = []
        bmc = self._bmc(endpoints[0].address)
        with bmc.lock:
            for candidates in by_protocol.values():
                try:
                    proven.append(self._prove_one(bmc, candidates))
                except WorkError as error:
                    errors.append(error)
        if not proven:
            raise errors[0]
        return tuple(proven)

    def forget(self, address: str) -> None:
        """Drop what is remembered of a BMC, for instance after its credentials were changed."""
        with self._lock:
            self._bmcs.pop(address, None)

    # -- inside --------------------------------------------------------------------------------

    def _bmc(self, address: str) -> _Bmc:
        with self._lock:
            return self._bmcs.setdefault(address, _Bmc())

    def _prove_one(self, bmc: _Bmc, candidates: Mapping[str, BmcEndpoint]) -> BmcEndpoint:
        endpoint = self._candidate(bmc, candidates)
        try:
            self._try_login(endpoint)
        except Refused as error:
            bmc.proven.pop(endpoint.protocol, None)
            bmc.refused.setdefault(endpoint.protocol, []).append(endpoint.credential)
            bmc.next_at = self._clock.now() + self._refusal_wait
            why = f"{endpoint.credential!r}: {error.why or error.what}"
            raise self._verdict(bmc, candidates, endpoint, why) from error
        bmc.proven[endpoint.protocol] = endpoint.credential
        bmc.refused.pop(endpoint.protocol, None)
        return endpoint

    def _candidate(self, bmc: _Bmc, candidates: Mapping[str, BmcEndpoint]) -> BmcEndpoint:
        first = next(iter(candidates.values()))
        last = bmc.proven.get(first.protocol, "")
        if last in candidates:
            return candidates[last]
        if bmc.next_at is not None and bmc.next_at > self._clock.now():
            raise self._verdict(bmc, candidates, first, "quick trials lock accounts")
        refused = bmc.refused.get(first.protocol, [])
        left = [item for name, item in candidates.items() if name not in refused]
        if not left:  # a new round
            bmc.refused.pop(first.protocol)
            return first
        return left[0]

    def _verdict(
        self, bmc: _Bmc, candidates: Mapping[str, BmcEndpoint], endpoint: BmcEndpoint, why: str
    ) -> WorkError:
        tried = len(candidates.keys() & set(bmc.refused.get(endpoint.protocol, ())))
        family = Refused if tried == len(candidates) else Busy
        when = f"{bmc.next_at:%H:%M:%S} UTC" if bmc.next_at else "once"
        return family(
            f"{endpoint.address}: {tried} of {len(candidates)} credential sets refused"
            f" over {endpoint.protocol}",
            why=why,
            hint=f"the next trial is allowed at {when}",
        )
