"""All hammers of all nodes: made once, sessions kept, every call behind its BMC's breaker."""

import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar, cast

from readystate.adapters.hammers.breaker import Breakers
from readystate.adapters.hammers.ipmi import IpmiHammer
from readystate.adapters.hammers.redfish import RedfishHammer
from readystate.domain.errors import Invalid, Unsupported
from readystate.domain.quirk import Machine, Quirks, QuirkTable
from readystate.ports.clock import Clock
from readystate.ports.hammer import BmcEndpoint, Hammers

CapabilityT = TypeVar("CapabilityT")
AnyHammer = RedfishHammer | IpmiHammer

#: Kept hammers, each with a socket. Under the usual limit of 1,024 open files a process.
KEPT_HAMMERS = 600


class BmcHammerRegistry:
    """The HammerRegistry port. Safe to share between threads."""

    def __init__(
        self,
        *,
        clock: Clock,
        quirks: QuirkTable,
        tls: ssl.SSLContext,
        keep: int = KEPT_HAMMERS,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._quirks = quirks
        self._tls = tls
        self._keep = keep
        self._pause = pause
        self._resolved: dict[Machine, Quirks] = {}  # a site has few kinds of machine
        self._breakers = Breakers(clock)
        self._kept: OrderedDict[BmcEndpoint, AnyHammer] = OrderedDict()
        self._lock = threading.Lock()

    def hammers(self, endpoints: Sequence[BmcEndpoint]) -> "NodeHammers":
        return NodeHammers(self, self._in_order(endpoints))

    def breaker_open_until(self, address: str) -> datetime | None:
        return self._breakers.open_until(address)

    def close(self) -> None:
        with self._lock:
            kept = list(self._kept.values())
            self._kept.clear()
        for hammer in kept:
            hammer.close()

    def quirks_of(self, machine: Machine) -> Quirks:
        if not machine.vendor:
            return Quirks()
        found = self._resolved.get(machine)
        if found is None:
            found = self._resolved[machine] = self._quirks.resolve(machine).quirks
        return found

    def hammer(self, endpoint: BmcEndpoint) -> "GuardedHammer":
        return GuardedHammer(self._get(endpoint), self._breakers)

    # -- inside --------------------------------------------------------------------------------

    def _in_order(self, endpoints: Sequence[BmcEndpoint]) -> list[BmcEndpoint]:
        """Redfish before IPMI unless a quirk says otherwise; else as given (proven sets first)."""

        def rank(endpoint: BmcEndpoint) -> bool:
            machine = Machine(endpoint.vendor, endpoint.model, endpoint.firmware)
            return endpoint.protocol != self.quirks_of(machine).prefer_protocol

        return sorted(endpoints, key=rank)  # stable

    def _get(self, endpoint: BmcEndpoint) -> AnyHammer:
        # What is learnt about a machine changes its quirks and not its session.
        key = replace(endpoint, vendor="", model="", firmware="", credential="")
        surplus: AnyHammer | None = None
        with self._lock:
            hammer = self._kept.get(key)
            if hammer is None:
                hammer = self._kept[key] = self._make(endpoint)
            elif endpoint.vendor:
                hammer.learn(Machine(endpoint.vendor, endpoint.model, endpoint.firmware))
            self._kept.move_to_end(key)
            if len(self._kept) > self._keep:
                _, surplus = self._kept.popitem(last=False)
        if surplus is not None:
            surplus.close()
        return hammer

    def _make(self, endpoint: BmcEndpoint) -> AnyHammer:
        if endpoint.protocol == "redfish":
            return RedfishHammer(
                endpoint,
                tls=self._tls,
                quirks=self.quirks_of,
                normalise_vendor=self._quirks.normalise_vendor,
                pause=self._pause,
            )
        if endpoint.protocol == "ipmi":
            machine = Machine(endpoint.vendor, endpoint.model, endpoint.firmware)
            suite = self.quirks_of(machine).cipher_suite or endpoint.cipher_suite
            return IpmiHammer(
                replace(endpoint, cipher_suite=suite),
                quirks=self.quirks_of,
                normalise_vendor=self._quirks.normalise_vendor,
                pause=self._pause,
            )
        raise Invalid(
            f"{endpoint.address}: no hammer speaks {endpoint.protocol!r}",
            why="known protocols: redfish, ipmi",
        )


class NodeHammers:
    """The Hammers port: those of one node, best first."""

    def __init__(self, registry: BmcHammerRegistry, endpoints: Sequence[BmcEndpoint]) -> None:
        self._registry = registry
        self._endpoints = endpoints
        self._used: dict[str, None] = {}

    def pick(self, capability: type[CapabilityT]) -> CapabilityT:
        for endpoint in self._endpoints:
            hammer = self._registry.hammer(endpoint)
            if hammer.has(capability):
                self._used[f"{endpoint.protocol}@{endpoint.address}"] = None
                return cast(CapabilityT, hammer)
        has = ", ".join(f"{item.protocol}@{item.address}" for item in self._endpoints)
        raise Unsupported(
            f"no hammer with {capability.__name__}",
            why=f"the node has {has}" if has else "the node has no BMC",
            hint="add another protocol for this node",
        )

    def used(self) -> Sequence[str]:
        return tuple(self._used)


class GuardedHammer:
    """A hammer whose every call passes its BMC's breaker."""

    def __init__(self, hammer: AnyHammer, breakers: Breakers) -> None:
        self._hammer = hammer
        self._breakers = breakers

    def has(self, capability: type[object]) -> bool:
        return isinstance(self._hammer, capability)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._hammer, name)

        def guarded(*args: Any, **kwargs: Any) -> Any:
            return self._breakers.guard(self._hammer.address, lambda: method(*args, **kwargs))

        return guarded


def _fulfils_port(registry: BmcHammerRegistry) -> Hammers:
    """For the type checker: what `hammers` returns is the port's."""
    return registry.hammers(())
