"""os-installed: what the installer is told, and what it is believed."""

from typing import Any

import pytest

from readystate.adapters.jigs.calls.install import (
    OsInstalled,
    check_installed,
    install_disk,
    install_plan,
)
from readystate.domain.errors import Failed, Invalid
from readystate.domain.outcome import NotDone, Pending, Succeeded
from readystate.domain.power import BootDevice
from readystate.ports.boot_services import BootKind
from readystate.ports.jig import Ticket
from tests.fakes.hammers import FakeHammer, FakeHammers
from tests.fakes.recording_context import RecordingContext
from tests.unit.adapters.jigs.calls.tickets import ticket_of

OURS, THEIRS = "ssh-ed25519 OURS", "ssh-ed25519 THEIRS"
DISKS = [{"name": it, "serial": it.upper(), "size_bytes": 2**30} for it in ("sda", "sdb")]
GIVEN = {
    "bootenv": "debian-12",
    "hostname": "node-1",
    "address": "10.0.0.9",
    "prefix_length": 24,
    "gateway": "10.0.0.1",
    "mac": "m0",
    "authorized_keys": [THEIRS],
    "disk": {"serial": "SDA"},
    "disks": DISKS,
}
CALLED = {"callback": "first-boot", "hostname": "node-1"}


def install_ticket(given: dict[str, Any] | None = None, **changes: Any) -> Ticket:
    return ticket_of("os_install", {**GIVEN, **(given or {})}, **changes)


def test_plan() -> None:
    assert {
        "bootenv": "debian-12",
        "hostname": "node-1",
        "disk": {"serial": "SDA"},
        "wipe": "blank",
        "admin": {
            "address": "10.0.0.9",
            "prefix_length": 24,
            "gateway": "10.0.0.1",
            "mac": "m0",
        },
        "authorized_keys": [OURS, THEIRS],
    } == install_plan(install_ticket(), DISKS[0], OURS)


@pytest.mark.parametrize(
    ("changes", "wipe"),
    [
        ({}, "blank"),
        ({"confirmed_disks": ("SDB",)}, "blank"),
        ({"confirmed_disks": ("SDB", "SDA")}, "any"),
        ({"wipe_any": True}, "any"),
    ],
)
def test_a_disk_that_nobody_saw_is_written_only_if_blank(
    changes: dict[str, Any], wipe: str
) -> None:
    assert wipe == install_plan(install_ticket(**changes), DISKS[0], OURS)["wipe"]


def test_our_own_key_is_there_once() -> None:
    ticket = install_ticket({"authorized_keys": [THEIRS, OURS, THEIRS]})

    assert [OURS, THEIRS] == install_plan(ticket, DISKS[0], OURS)["authorized_keys"]


@pytest.mark.parametrize("rule", [{}, {"serial": "SDC"}])
def test_without_exactly_one_disk_nothing_is_booted(rule: dict[str, str]) -> None:
    context = RecordingContext()

    with pytest.raises(Invalid, match="os/disk"):
        install_disk(install_ticket({"disk": rule}))
    with pytest.raises(Invalid, match="os/disk"):
        OsInstalled(OURS).run(install_ticket({"disk": rule}), context)

    assert [] == context.wishes


def test_it_boots_the_installer_and_is_not_past_return() -> None:
    hammer, context = FakeHammer(), RecordingContext()
    context.reached = FakeHammers({"redfish@127.0.1.1": hammer})

    assert isinstance(OsInstalled(OURS).run(install_ticket(), context), Pending)

    assert [(BootKind.INSTALL, "debian-12")] == [(it.kind, it.bootenv) for it in context.wishes]
    assert [BootDevice.PXE] == hammer.boot_order
    assert 0 == context.effects


def test_the_installed_system_is_believed_when_it_calls_back() -> None:
    ticket = install_ticket(wake=CALLED)
    done = Succeeded({"installed_bootenv": "debian-12", "installed_disk": "SDA"})

    assert done == OsInstalled(OURS).run(ticket, RecordingContext())
    assert done == check_installed(ticket, RecordingContext())


@pytest.mark.parametrize(
    ("wake", "what", "why"),
    [
        ({"callback": "install-failed", "reason": "not blank"}, "refused", "not blank"),
        ({"callback": "install-failed"}, "refused", "no reason"),
        ({**CALLED, "hostname": "node-2"}, "another system", "'node-2'"),
        ({"callback": "first-boot"}, "another system", "None"),
    ],
)
def test_it_fails_when_the_machine_says_so(wake: dict[str, Any], what: str, why: str) -> None:
    with pytest.raises(Failed, match=what) as failed:
        OsInstalled(OURS).run(install_ticket(wake=wake), RecordingContext())

    assert why in failed.value.why


def test_nobody_else_can_tell_whether_it_is_installed() -> None:
    assert isinstance(check_installed(install_ticket(), RecordingContext()), NotDone)
