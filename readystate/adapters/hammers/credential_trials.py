"""Finding the credentials of a BMC without locking its accounts.

BMCs lock a user, or the whole address, after a few refused logins. So after a refused trial the
next one on that BMC waits a minute, and the set that worked last is tried first."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from readystate.domain.errors import Busy, Refused, WorkError
from readystate.domain.secret import Secret
from readystate.ports.clock import Clock
from readystate.ports.hammer import BmcEndpoint

REFUSAL_WAIT_S = 60.0

#: Logs in at the endpoint and reads something: raises the work families of the hammers.
TryLogin = Callable[[BmcEndpoint], None]


@dataclass(frozen=True)
class CredentialSet:
    """One user and password, known by a name in every message and record."""

    name: str
    username: str
    password: Secret


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
        """Log in at each protocol (with its port, None = its own); one endpoint for each that let
        us in, with the name of the set, in the order given.

        When none did, raises what the first one said. A refusal with sets left to try is Busy: the
        next pass, a minute later, goes on with the next set. Refused means that all of them were
        refused; a later call begins a new round. Nothing touches the BMC within the minute, except
        with the set that worked last."""
        if not credential_sets:
            raise Refused(
                f"{address}: no credential sets for this BMC",
                hint="add one to the deployment's scope",
            )
        bmc = self._bmc(address)
        proven: list[BmcEndpoint] = []
        errors: list[WorkError] = []
        with bmc.lock:
            for protocol, port in protocols.items():
                try:
                    proven.append(self._prove_one(bmc, address, protocol, port, credential_sets))
                except WorkError as error:
                    errors.append(error)
        if proven:
            return tuple(proven)
        if errors:
            raise errors[0]
        raise Refused(f"{address}: no protocol to try", hint="scan the BMC first")

    def forget(self, address: str) -> None:
        """Drop what is remembered of a BMC, for instance after its credentials were changed."""
        with self._lock:
            self._bmcs.pop(address, None)

    # -- inside --------------------------------------------------------------------------------

    def _bmc(self, address: str) -> _Bmc:
        with self._lock:
            return self._bmcs.setdefault(address, _Bmc())

    def _prove_one(
        self,
        bmc: _Bmc,
        address: str,
        protocol: str,
        port: int | None,
        credential_sets: Sequence[CredentialSet],
    ) -> BmcEndpoint:
        candidate = self._candidate(bmc, address, protocol, credential_sets)
        endpoint = BmcEndpoint(
            address,
            protocol,
            candidate.username,
            candidate.password,
            port=port,
            credential=candidate.name,
        )
        try:
            self._try_login(endpoint)
        except Refused as error:
            bmc.proven.pop(protocol, None)
            bmc.refused.setdefault(protocol, []).append(candidate.name)
            bmc.next_at = self._clock.now() + self._refusal_wait
            why = f"{candidate.name!r}: {error.why or error.what}"
            raise self._verdict(bmc, address, protocol, credential_sets, why) from error
        bmc.proven[protocol] = candidate.name
        bmc.refused.pop(protocol, None)
        return endpoint

    def _candidate(
        self, bmc: _Bmc, address: str, protocol: str, credential_sets: Sequence[CredentialSet]
    ) -> CredentialSet:
        by_name = {item.name: item for item in credential_sets}
        last = bmc.proven.get(protocol)
        if last in by_name:
            return by_name[last]
        if bmc.next_at is not None and bmc.next_at > self._clock.now():
            raise self._verdict(
                bmc, address, protocol, credential_sets, "quick trials lock accounts"
            )
        left = [item for item in credential_sets if item.name not in bmc.refused.get(protocol, ())]
        if not left:  # a new round
            bmc.refused.pop(protocol)
            left = list(credential_sets)
        return left[0]

    def _verdict(
        self,
        bmc: _Bmc,
        address: str,
        protocol: str,
        credential_sets: Sequence[CredentialSet],
        why: str,
    ) -> WorkError:
        names = {item.name for item in credential_sets}
        tried = len(names & set(bmc.refused.get(protocol, ())))
        family = Refused if tried == len(names) else Busy
        when = f"{bmc.next_at:%H:%M:%S} UTC" if bmc.next_at else "once"
        return family(
            f"{address}: {tried} of {len(names)} credential sets refused over {protocol}",
            why=why,
            hint=f"the next trial is allowed at {when}",
        )
