"""OpenStack's sushy, unmodified, against each personality."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sushy
from sushy.resources.constants import ResetType
from sushy.resources.system.storage import constants as storage

from tests.protocol.redfish_rack import (
    PASSWORD,
    SWITCHES,
    USER,
    VENDORS,
    Served,
    make_bmc,
    rack_network,
    serve,
)

pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")


@pytest.fixture(params=VENDORS)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    bmc = make_bmc(request.param, f"{rack_network()}.5.{list(VENDORS).index(request.param) + 1}")
    with serve([bmc]) as (one,):
        yield one


@contextmanager
def log_in(served: Served, auth: Any) -> Iterator[sushy.Sushy]:
    """Close what sushy would otherwise close when it is collected, long after the BMC is gone."""
    client = sushy.Sushy(served.url, verify=False, auth=auth)
    try:
        yield client
    finally:
        auth.close()
        client._conn.close()


@pytest.fixture(params=["basic", "session"])
def root(served: Served, request: pytest.FixtureRequest) -> Iterator[sushy.Sushy]:
    kind = sushy.auth.BasicAuth if request.param == "basic" else sushy.auth.SessionAuth
    with log_in(served, kind(USER, PASSWORD)) as client:
        yield client


@pytest.fixture
def system(served: Served) -> Iterator[Any]:
    with log_in(served, sushy.auth.SessionOrBasicAuth(USER, PASSWORD)) as client:
        yield client.get_system()


def test_finds_the_one_system_either_way(served: Served, root: sushy.Sushy) -> None:
    system = root.get_system()
    hardware = served.bmc.machine.hardware

    assert [hardware.uuid, hardware.serial, hardware.manufacturer] == [
        system.uuid,
        system.serial_number,
        system.manufacturer,
    ]
    assert served.bmc.machine.hardware.bmc_version == root.get_manager().firmware_version
    assert sushy.PowerState.OFF == system.power_state
    assert 2 == len(system.processors.get_members())
    assert {nic.mac for nic in hardware.nics} == {
        nic.mac_address.lower() for nic in system.ethernet_interfaces.get_members()
    }


def test_wrong_password_is_an_access_error(served: Served) -> None:
    with (
        log_in(served, sushy.auth.BasicAuth(USER, "guess")) as client,
        pytest.raises(sushy.exceptions.AccessError),
    ):
        client.get_system()


def test_power_goes_on_and_off(served: Served, system: Any) -> None:
    system.reset_system(ResetType.ON)
    system.refresh(force=True)
    assert sushy.PowerState.ON == system.power_state
    system.reset_system(ResetType.FORCE_RESTART)
    system.reset_system(ResetType.FORCE_OFF)
    system.refresh(force=True)

    assert sushy.PowerState.OFF == system.power_state
    ledger = served.bmc.ledger
    assert (1, 1, 1, 2) == (ledger.power_ons, ledger.power_offs, ledger.resets, ledger.boots)


@pytest.mark.parametrize(
    "mode", [sushy.BootSourceOverrideMode.UEFI, sushy.BootSourceOverrideMode.LEGACY]
)
def test_one_shot_is_spent_by_the_boot_and_a_lasting_override_is_not(
    served: Served, system: Any, mode: Any
) -> None:
    def override() -> tuple[Any, Any, Any]:
        system.refresh(force=True)
        boot = system.boot
        return boot["target"], boot["enabled"], boot["mode"]

    once, lasting = sushy.BootSourceOverrideEnabled.ONCE, sushy.BootSourceOverrideEnabled.CONTINUOUS
    system.set_system_boot_options(sushy.BootSource.PXE, enabled=once, mode=mode)
    assert (sushy.BootSource.PXE, once, mode) == override()
    system.reset_system(ResetType.ON)
    assert sushy.BootSource.NONE == override()[0]
    system.set_system_boot_options(sushy.BootSource.HDD, enabled=lasting, mode=mode)
    system.reset_system(ResetType.FORCE_RESTART)
    assert (sushy.BootSource.HDD, lasting, mode) == override()
    boots = served.bmc.machine.boots
    assert [("pxe", "disk"), ("disk", "pxe")] == [boot.order for boot in boots]
    assert {mode is sushy.BootSourceOverrideMode.UEFI} == {boot.uefi for boot in boots}
    assert 2 == served.bmc.ledger.boot_override_sets


def test_bios_attributes_are_pending_until_the_reset(served: Served, system: Any) -> None:
    name, default, wanted = SWITCHES[served.personality]
    bios = system.bios
    assert default == bios.attributes[name]
    apply_time = sushy.ApplyTime.ON_RESET if served.personality == "dell" else None
    bios.set_attribute(name, wanted, apply_time=apply_time)
    bios.refresh(force=True)

    assert wanted == bios.pending_attributes[name]
    assert default == bios.attributes[name]
    system.reset_system(ResetType.ON)
    bios.refresh(force=True)
    assert wanted == bios.attributes[name]
    assert (1, 1) == (served.bmc.ledger.bios_writes, served.bmc.ledger.bios_applies)


def test_bios_registry_is_found_by_the_name_that_the_bios_gives(
    served: Served, system: Any
) -> None:
    registry = system.bios.get_attribute_registry()
    entries = {item.name: item for item in registry.registry_entries.attributes}

    assert not entries[SWITCHES[served.personality][0]].read_only
    system.bios.reset_bios()
    assert 1 == served.bmc.ledger.bios_writes


def test_volume_is_made_and_removed_with_its_task(served: Served, system: Any) -> None:
    controller = system.storage.get_members()[0]
    payload = {
        "RAIDType": "RAID1",
        "Name": "os",
        "Links": {"Drives": [{"@odata.id": drive.path} for drive in controller.drives[:2]]},
    }
    apply_time = sushy.ApplyTime.ON_RESET if served.personality == "dell" else None
    made = controller.volumes.create(payload, apply_time=apply_time)

    if served.personality == "dell":
        assert made.check_is_processing
        system.reset_system(ResetType.ON)
        assert not made.check_is_processing
        assert sushy.TaskState.COMPLETED == made.get_task().task_state
    controller.volumes.refresh(force=True)
    (volume,) = controller.volumes.get_members()
    assert [storage.RAIDType.RAID1, 480 * 10**9] == [volume.raid_type, volume.capacity_bytes]
    assert [480 * 10**9] == controller.volumes.volumes_sizes_bytes
    volume.delete(apply_time=sushy.ApplyTime.IMMEDIATE)
    assert [] == served.bmc.volumes
    assert (1, 1) == (served.bmc.ledger.volume_creates, served.bmc.ledger.volume_deletes)


def test_session_is_opened_listed_and_closed(served: Served) -> None:
    auth = sushy.auth.SessionAuth(USER, PASSWORD)
    with log_in(served, auth) as client:
        service = client.get_session_service()
        assert [USER] == [session.username for session in service.sessions.get_members()]

    assert [] == served.on_loop(lambda: sessions_of(served))


def sessions_of(served: Served) -> list[Any]:
    """The BMC's own view: its front end hooks `clear` to the reset of the BMC."""
    (clear,) = (
        hook for hook in served.bmc.on_bmc_reset if getattr(hook, "__name__", "") == "clear"
    )
    return list(clear.__self__.list())  # type: ignore[attr-defined]


def test_virtual_media_is_inserted_and_ejected(served: Served, system: Any) -> None:
    (manager,) = system.managers
    (media,) = manager.virtual_media.get_members()
    media.insert_media("http://127.0.0.1/discovery.iso")

    assert "http://127.0.0.1/discovery.iso" == served.bmc.virtual_media_url
    media.refresh(force=True)
    assert media.inserted
    media.eject_media()
    assert served.bmc.virtual_media_url is None
