"""A scan finds every BMC once, by what it speaks, and logs in nowhere."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from readystate.adapters.discovery import bmc_scan
from readystate.adapters.discovery.bmc_scan import BmcScan, ScanProgress, scan_bmcs
from readystate.domain.sighting import BmcSighting
from readystate.lab.bmc.faults import Fault
from tests.protocol.hammer_rigs import (
    ALL,
    HTTPS_PORT,
    RMCP_PORT,
    Rack,
    make_rack,
    network,
    serve,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class StoppedClock:
    def now(self) -> datetime:
        return NOW


@pytest.fixture(autouse=True)
def _short_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bmc_scan, "_PING_WAITS_S", (0.2, 0.2))


@pytest.fixture
def rack() -> Iterator[Rack]:
    with serve(make_rack(ALL)) as rack:
        yield rack


def scan(*ranges: str, **options: object) -> list[BmcSighting]:
    found: list[BmcSighting] = []
    count = scan_bmcs(
        ranges,
        on_sighting=found.append,
        clock=StoppedClock(),
        rmcp_port=RMCP_PORT,
        https_port=HTTPS_PORT,
        **options,
    )
    assert len(found) == count
    return sorted(found, key=lambda sighting: sighting.address)


def test_a_bmc_seen_by_both_protocols_is_one_sighting(rack: Rack) -> None:
    found = scan(f"{network()}.0.1-{network()}.0.9")

    assert [bmc.address for bmc in rack.bmcs] == [sighting.address for sighting in found]
    assert [("redfish", "ipmi")] * 3 + [("ipmi",)] == [item.protocols for item in found]
    assert {NOW} == {item.seen_at for item in found}


def test_the_service_root_tells_vendor_product_and_uuid(rack: Rack) -> None:
    dell, hpe, supermicro, generic = scan(f"{network()}.0.0/29")

    assert ["Dell", "HPE", "Supermicro", ""] == [
        item.vendor for item in (dell, hpe, supermicro, generic)
    ]
    assert "Remote Access" in dell.product
    assert hpe.redfish_uuid
    assert generic.redfish_uuid is None


def test_a_scan_logs_in_nowhere(rack: Rack) -> None:
    scan(f"{network()}.0.1-{network()}.0.4")

    assert [(0, 0)] * 4 == [(bmc.ledger.refused_logins, bmc.ledger.rakp_begun) for bmc in rack.bmcs]


def test_a_silent_bmc_is_not_seen(rack: Rack) -> None:
    rack.bmcs[0].faults.plant(Fault.UNREACHABLE)

    assert [bmc.address for bmc in rack.bmcs[1:]] == [
        item.address for item in scan(f"{network()}.0.1-{network()}.0.4")
    ]


def test_progress_counts_up_to_the_whole_range(rack: Rack) -> None:
    del rack
    seen: list[ScanProgress] = []
    scan(f"{network()}.0.1-{network()}.0.20", on_progress=seen.append)

    assert list(range(1, 21)) == [progress.done for progress in seen]
    assert ScanProgress(done=20, total=20, found=4) == seen[-1]


def test_a_scan_that_is_not_wanted_any_more_ends_early(rack: Rack) -> None:
    async def first() -> BmcSighting:
        job = BmcScan(
            [f"{network()}.0.0/22"],
            clock=StoppedClock(),
            rmcp_port=RMCP_PORT,
            https_port=HTTPS_PORT,
            at_once=8,
        )
        sightings = job.sightings()
        try:
            return await anext(sightings)
        finally:
            await sightings.aclose()

    addresses = {bmc.address for bmc in rack.bmcs}
    assert asyncio.run(asyncio.wait_for(first(), 5)).address in addresses
