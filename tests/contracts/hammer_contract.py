"""What every hammer promises, by capability. Each class runs against the fake and every adapter: a
test module derives from those that its hammer has, and gives the fixture `rig`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from readystate.domain.errors import Failed, Invalid, Refused, Unreachable
from readystate.domain.power import BootDevice, BootMode, PowerState


@dataclass
class HammerRig:
    """A hammer bound to a machine, and the truth about that machine."""

    hammer: Any
    is_on: Callable[[], bool]
    boots: Callable[[], int]
    make_lie_about_power: Callable[[], None]
    make_forget_overrides: Callable[[], None]
    change_password: Callable[[], None]
    make_unreachable: Callable[[], None]
    serial: str
    uuid: str
    bios_writes: Callable[[], int] = lambda: 0
    #: A BIOS attribute with another value that the machine allows.
    bios_change: dict[str, Any] = field(default_factory=dict)


class PowerContract:
    def test_power_on_and_off_are_real_and_read_back(self, rig: HammerRig) -> None:
        rig.hammer.power_on()
        assert (True, PowerState.ON) == (rig.is_on(), rig.hammer.read_power())

        rig.hammer.power_off()
        assert (False, PowerState.OFF) == (rig.is_on(), rig.hammer.read_power())

    def test_power_on_of_a_machine_that_is_on_does_not_boot_it_again(self, rig: HammerRig) -> None:
        rig.hammer.power_on()
        rig.hammer.power_on()

        assert rig.boots() == 1

    def test_power_off_of_a_machine_that_is_off_is_no_failure(self, rig: HammerRig) -> None:
        rig.hammer.power_off()

        assert not rig.is_on()

    def test_graceful_power_off_is_read_back(self, rig: HammerRig) -> None:
        rig.hammer.power_on()
        rig.hammer.power_off(graceful=True)

        assert not rig.is_on()

    def test_power_cycle_starts_a_machine_that_is_off(self, rig: HammerRig) -> None:
        rig.hammer.power_cycle()

        assert (True, 1) == (rig.is_on(), rig.boots())

    def test_power_cycle_boots_a_machine_that_is_on(self, rig: HammerRig) -> None:
        rig.hammer.power_on()
        rig.hammer.power_cycle()

        assert (True, 2) == (rig.is_on(), rig.boots())

    def test_reset_boots_again_without_losing_power(self, rig: HammerRig) -> None:
        rig.hammer.power_on()
        rig.hammer.reset()

        assert (True, 2) == (rig.is_on(), rig.boots())

    def test_reset_of_a_machine_that_is_off_fails(self, rig: HammerRig) -> None:
        with pytest.raises(Failed, match="the machine is off"):
            rig.hammer.reset()

    def test_a_power_command_that_is_accepted_and_ignored_fails(self, rig: HammerRig) -> None:
        rig.make_lie_about_power()

        with pytest.raises(Failed, match="cannot power on"):
            rig.hammer.power_on()

    def test_a_changed_password_is_refused(self, rig: HammerRig) -> None:
        rig.change_password()

        with pytest.raises(Refused):
            rig.hammer.read_power()

    def test_a_silent_bmc_is_unreachable(self, rig: HammerRig) -> None:
        rig.make_unreachable()

        with pytest.raises(Unreachable):
            rig.hammer.read_power()


class BootContract:
    @pytest.mark.parametrize("persistent", [False, True], ids=["once", "persistent"])
    @pytest.mark.parametrize("device", [BootDevice.PXE, BootDevice.DISK, BootDevice.CDROM])
    def test_an_override_reads_back(
        self, rig: HammerRig, device: BootDevice, *, persistent: bool
    ) -> None:
        rig.hammer.set_boot_override(device, persistent=persistent, mode=BootMode.UEFI)

        assert (device, persistent) == rig.hammer.read_boot_override()

    def test_an_override_can_be_taken_back(self, rig: HammerRig) -> None:
        rig.hammer.set_boot_override(BootDevice.PXE, persistent=True)
        rig.hammer.set_boot_override(BootDevice.NONE, persistent=True)

        assert (BootDevice.NONE, False) == rig.hammer.read_boot_override()

    def test_a_boot_spends_a_one_shot_override(self, rig: HammerRig) -> None:
        rig.hammer.set_boot_override(BootDevice.PXE, persistent=False)
        rig.hammer.power_cycle()

        assert (BootDevice.NONE, False) == rig.hammer.read_boot_override()

    def test_an_override_that_is_forgotten_at_once_fails(self, rig: HammerRig) -> None:
        rig.make_forget_overrides()

        with pytest.raises(Failed, match="forgot the boot override"):
            rig.hammer.set_boot_override(BootDevice.PXE, persistent=False)


class IdentifyContract:
    def test_the_identity_is_the_machine_s_own(self, rig: HammerRig) -> None:
        identity = rig.hammer.read_identity()

        assert (rig.serial, rig.uuid) == (identity.serial, identity.uuid)

    def test_the_light_can_be_switched(self, rig: HammerRig) -> None:
        rig.hammer.set_identify_light(on=True)
        rig.hammer.set_identify_light(on=False)


class InventoryContract:
    def test_the_inventory_names_the_machine(self, rig: HammerRig) -> None:
        inventory = rig.hammer.read_inventory()

        assert (rig.serial, rig.uuid) == (inventory.serial, inventory.uuid)


class BiosContract:
    def test_staged_settings_wait_for_the_next_boot(self, rig: HammerRig) -> None:
        before = dict(rig.hammer.read_bios().current)
        rig.hammer.stage_bios(rig.bios_change)
        staged = rig.hammer.read_bios()

        assert rig.bios_change == dict(staged.pending)
        assert before == dict(staged.current)

        rig.hammer.power_cycle()
        applied = rig.hammer.read_bios()

        assert {} == dict(applied.pending)
        assert rig.bios_change.items() <= dict(applied.current).items()

    def test_staging_the_same_again_writes_nothing(self, rig: HammerRig) -> None:
        rig.hammer.stage_bios(rig.bios_change)
        rig.hammer.stage_bios(rig.bios_change)

        assert rig.bios_writes() == 1

    def test_an_unknown_setting_is_named_and_nothing_is_staged(self, rig: HammerRig) -> None:
        with pytest.raises(Invalid, match="NoSuchSetting"):
            rig.hammer.stage_bios({**rig.bios_change, "NoSuchSetting": "x"})

        assert {} == dict(rig.hammer.read_bios().pending)


class StorageContract:
    """Whether a change waits for the next boot is the controller's matter, so each is booted."""

    def _make(self, rig: HammerRig) -> tuple[str, list[str]]:
        unit = next(item for item in rig.hammer.read_storage() if len(item.drives) >= 2)
        return unit.controller, [drive.id for drive in unit.drives[:2]]

    def _unit(self, rig: HammerRig, controller: str) -> Any:
        return next(item for item in rig.hammer.read_storage() if item.controller == controller)

    def test_a_volume_is_there_after_the_next_boot(self, rig: HammerRig) -> None:
        controller, drives = self._make(rig)
        rig.hammer.stage_volume(controller, name="os", raid_type="RAID1", drives=drives)
        staged = self._unit(rig, controller)
        rig.hammer.power_cycle()
        built = self._unit(rig, controller)

        assert staged.pending or len(staged.volumes) == 1
        assert not built.pending
        assert [("os", "RAID1", sorted(drives))] == [
            (item.name, item.raid_type, sorted(item.drives)) for item in built.volumes
        ]
        assert set(drives) == {drive.id for drive in built.drives if drive.in_volume}

    def test_staging_the_same_volume_again_changes_nothing(self, rig: HammerRig) -> None:
        controller, drives = self._make(rig)
        for _ in range(2):
            rig.hammer.stage_volume(controller, name="os", raid_type="RAID1", drives=drives)
        rig.hammer.power_cycle()
        rig.hammer.stage_volume(controller, name="os", raid_type="RAID1", drives=drives)

        assert 1 == len(self._unit(rig, controller).volumes)

    def test_a_removed_volume_is_gone_after_the_next_boot(self, rig: HammerRig) -> None:
        controller, drives = self._make(rig)
        rig.hammer.stage_volume(controller, name="os", raid_type="RAID1", drives=drives)
        rig.hammer.power_cycle()
        volume_id = self._unit(rig, controller).volumes[0].id
        rig.hammer.stage_volume_removal(controller, volume_id)
        rig.hammer.power_cycle()

        assert () == self._unit(rig, controller).volumes
        rig.hammer.stage_volume_removal(controller, volume_id)  # gone already: no failure

    def test_one_boot_removes_a_volume_and_makes_another_of_its_drives(
        self, rig: HammerRig
    ) -> None:
        controller, drives = self._make(rig)
        rig.hammer.stage_volume(controller, name="old", raid_type="RAID1", drives=drives)
        rig.hammer.power_cycle()
        volume_id = self._unit(rig, controller).volumes[0].id
        rig.hammer.stage_volume_removal(controller, volume_id)
        rig.hammer.stage_volume(controller, name="os", raid_type="RAID1", drives=drives)
        rig.hammer.power_cycle()

        assert ["os"] == [item.name for item in self._unit(rig, controller).volumes]

    def test_drives_of_a_volume_that_stays_are_invalid(self, rig: HammerRig) -> None:
        controller, drives = self._make(rig)
        rig.hammer.stage_volume(controller, name="old", raid_type="RAID1", drives=drives)
        rig.hammer.power_cycle()

        with pytest.raises(Invalid):
            rig.hammer.stage_volume(controller, name="os", raid_type="RAID1", drives=drives)

    def test_unknown_drives_and_controllers_are_invalid(self, rig: HammerRig) -> None:
        controller, drives = self._make(rig)

        with pytest.raises(Invalid, match="nowhere"):
            rig.hammer.stage_volume("nowhere", name="os", raid_type="RAID1", drives=drives)
        with pytest.raises(Invalid, match="no-such-drive"):
            rig.hammer.stage_volume(
                controller, name="os", raid_type="RAID1", drives=["no-such-drive"]
            )


class SensorContract:
    def test_temperatures_are_read_in_celsius(self, rig: HammerRig) -> None:
        temperatures = [item for item in rig.hammer.read_sensors() if item.unit == "C"]

        assert temperatures
        assert all(item.value is None or -20 < item.value < 120 for item in temperatures)


class EventLogContract:
    def test_the_newest_entry_comes_first_and_the_limit_holds(self, rig: HammerRig) -> None:
        rig.hammer.power_on()
        rig.hammer.power_off()
        entries = rig.hammer.read_log()

        assert 2 <= len(entries)
        assert entries[0] == rig.hammer.read_log(limit=1)[0]
        instants = [entry.at for entry in entries if entry.at]
        assert instants == sorted(instants, reverse=True)
