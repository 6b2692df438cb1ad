"""The Scanner port: scans ranges for BMCs on this site's ports."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from readystate.adapters.discovery.bmc_scan import ScanProgress, parse_ranges, scan_bmcs
from readystate.domain.sighting import BmcSighting
from readystate.ports.clock import Clock
from readystate.ports.discovery import ScanCount

_OWN_PORTS = {"ipmi": 623, "redfish": 443}  #: IPMI 2.0 section 13.1; HTTPS


@dataclass(frozen=True)
class RangeScanner:
    clock: Clock
    ipmi_port: int
    redfish_port: int

    def count(self, ranges: Sequence[str]) -> int:
        return len(parse_ranges(ranges))

    def scan(
        self,
        ranges: Sequence[str],
        *,
        on_sighting: Callable[[BmcSighting], None],
        on_progress: Callable[[ScanCount], None],
    ) -> int:
        def tell(seen: ScanProgress) -> None:
            on_progress(ScanCount(seen.done, seen.total, seen.found))

        return scan_bmcs(
            ranges,
            on_sighting=on_sighting,
            clock=self.clock,
            rmcp_port=self.ipmi_port,
            https_port=self.redfish_port,
            on_progress=tell,
        )

    def port_of(self, protocol: str) -> int | None:
        port = {"ipmi": self.ipmi_port, "redfish": self.redfish_port}[protocol]
        return None if port == _OWN_PORTS[protocol] else port
