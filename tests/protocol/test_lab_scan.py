"""A scan over a rack so large that handshakes and pongs come faster than they are taken in."""

from pathlib import Path
from tempfile import TemporaryDirectory

from readystate.adapters.discovery.bmc_scan import scan_bmcs
from readystate.adapters.system_clock import SystemClock
from readystate.domain.sighting import BmcSighting
from readystate.lab.process import LabWish, spawn_lab

BMCS = 1000


def test_every_bmc_of_a_large_rack_is_seen_on_every_protocol_that_it_speaks() -> None:
    with TemporaryDirectory(prefix="lab-") as folder:
        lab = spawn_lab(LabWish(Path(folder), nodes=BMCS))
        try:
            status = lab.client.status()
            seen: list[BmcSighting] = []
            scan_bmcs(
                [status["bmc_range"]],
                on_sighting=seen.append,
                clock=SystemClock(),
                rmcp_port=status["ports"]["ipmi"],
                https_port=status["ports"]["redfish"],
            )
        finally:
            lab.stop()

    protocols = {item.address: item.protocols for item in seen}
    assert {
        item["bmc_address"]: ("ipmi",)
        if item["personality"] == "generic-ipmi"
        else ("redfish", "ipmi")
        for item in status["machines"]
    } == protocols
