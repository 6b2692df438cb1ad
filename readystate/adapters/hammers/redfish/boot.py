"""The boot override of a system over Redfish (DSP0268, ComputerSystem: Boot)."""

from collections.abc import Callable
from typing import Any

from readystate.adapters.hammers.read_back import is_seen_within
from readystate.adapters.hammers.redfish.client import Answer, RedfishClient
from readystate.adapters.hammers.redfish.tree import Resource, link, text
from readystate.domain.errors import Failed, Unsupported
from readystate.domain.power import BootDevice, BootMode
from readystate.domain.quirk import Quirks

_TARGETS = {
    "None": BootDevice.NONE,
    "Pxe": BootDevice.PXE,
    "UefiPxe": BootDevice.PXE,
    "Hdd": BootDevice.DISK,
    "UefiHdd": BootDevice.DISK,
    "Cd": BootDevice.CDROM,
    "UefiCd": BootDevice.CDROM,
    "UsbCd": BootDevice.CDROM,
    "UefiUsbCd": BootDevice.CDROM,
    "BiosSetup": BootDevice.BIOS_SETUP,
}
_WORDS = {
    BootDevice.PXE: "Pxe",
    BootDevice.DISK: "Hdd",
    BootDevice.CDROM: "Cd",
    BootDevice.BIOS_SETUP: "BiosSetup",
}
_MODES = {BootMode.BIOS: "Legacy", BootMode.UEFI: "UEFI"}
_ALLOWED = "BootSourceOverrideTarget@Redfish.AllowableValues"

ReadSystem = Callable[[], Answer]


class BootAccess:
    def __init__(
        self, client: RedfishClient, *, address: str, pause: Callable[[float], None]
    ) -> None:
        self._client = client
        self._address = address
        self._pause = pause

    def read(self, system: Answer, quirks: Quirks) -> tuple[BootDevice, bool]:
        boot = self._boot_of(self._holder(system, quirks).body)
        enabled = text(boot, "BootSourceOverrideEnabled") or "Disabled"
        if enabled == "Disabled":
            return BootDevice.NONE, False
        target = text(boot, "BootSourceOverrideTarget") or "None"
        device = _TARGETS.get(target)
        if device is None:
            raise Unsupported(
                f"{self._address}: unknown boot device in the override", why=f"target {target!r}"
            )
        return device, enabled == "Continuous" and device is not BootDevice.NONE

    def set(
        self,
        system: Answer,
        read_system: ReadSystem,
        quirks: Quirks,
        device: BootDevice,
        *,
        persistent: bool,
        mode: BootMode | None,
    ) -> None:
        holder = self._holder(system, quirks)
        change = self._change(system.body, quirks, device, persistent=persistent, mode=mode)
        self._write(holder, change)
        wanted = (device, persistent and device is not BootDevice.NONE)
        seen: list[tuple[BootDevice, bool]] = []

        def is_set() -> bool:
            seen.append(self.read(read_system(), quirks))
            return seen[-1] == wanted

        if not is_seen_within(quirks.boot_settle_s, is_set, pause=self._pause):
            raise Failed(
                f"{self._address}: the BMC forgot the boot override",
                why=f"{_spell(*wanted)} was accepted, but it reports {_spell(*seen[-1])}",
            )

    def reassert(self, before: Answer, read_system: ReadSystem, quirks: Quirks) -> None:
        """Put back a one-shot override that stood `before` and has vanished without a boot."""
        boot = before.body.get("Boot")
        if not isinstance(boot, dict) or boot.get("BootSourceOverrideEnabled") != "Once":
            return
        now = read_system()
        if self.read(now, quirks) == self.read(before, quirks):
            return
        names = (
            "BootSourceOverrideEnabled",
            "BootSourceOverrideTarget",
            "BootSourceOverrideMode",
        )
        change = {name: boot[name] for name in names if boot.get(name) is not None}
        self._write(self._holder(now, quirks), change)

    def _write(self, holder: Answer, change: dict[str, Any]) -> None:
        path = str(holder.body["@odata.id"])
        self._client.patch(path, {"Boot": change}, etag=holder.etag)

    def _holder(self, system: Answer, quirks: Quirks) -> Answer:
        """The resource that takes the override: the system, or on some services its settings."""
        if quirks.redfish_boot_settings:
            path = link(system.body, "@Redfish.Settings", "SettingsObject")
            if path:
                return self._client.get(path)
        return system

    def _boot_of(self, resource: Resource) -> Resource:
        boot = resource.get("Boot")
        if not isinstance(boot, dict):
            raise Unsupported(f"{self._address}: the BMC offers no boot override over Redfish")
        return boot

    def _change(
        self,
        system: Resource,
        quirks: Quirks,
        device: BootDevice,
        *,
        persistent: bool,
        mode: BootMode | None,
    ) -> dict[str, Any]:
        boot = self._boot_of(system)
        has_mode = "BootSourceOverrideMode" in boot
        if device is BootDevice.NONE:
            change: dict[str, Any] = {
                "BootSourceOverrideEnabled": "Disabled",
                "BootSourceOverrideTarget": "None",
            }
        else:
            uefi_word = mode is BootMode.UEFI and not has_mode
            change = {
                "BootSourceOverrideEnabled": "Continuous" if persistent else "Once",
                "BootSourceOverrideTarget": self._target(boot, quirks, device, uefi_word),
            }
            if has_mode and mode is not None:
                change["BootSourceOverrideMode"] = _MODES[mode]
        if has_mode and quirks.redfish_boot_mode_required and boot["BootSourceOverrideMode"]:
            change.setdefault("BootSourceOverrideMode", boot["BootSourceOverrideMode"])
        return change

    def _target(self, boot: Resource, quirks: Quirks, device: BootDevice, uefi_word: bool) -> str:
        """The word for a device that this service allows. Services without a mode (Supermicro X10)
        have words of their own for UEFI."""
        word = quirks.redfish_cdrom_target if device is BootDevice.CDROM else _WORDS[device]
        candidates = [f"Uefi{word}", word] if uefi_word else [word]
        if device is BootDevice.CDROM:
            candidates += ["Cd", "UsbCd"]
        allowed = boot.get(_ALLOWED)
        if not allowed:
            return word
        for candidate in candidates:
            if candidate in allowed:
                return candidate
        raise Unsupported(
            f"{self._address}: cannot boot from {device.value} by override",
            why=f"the BMC offers {', '.join(map(str, allowed))}",
        )


def _spell(device: BootDevice, persistent: bool) -> str:
    return f"{device.value} ({'persistent' if persistent else 'once'})"
