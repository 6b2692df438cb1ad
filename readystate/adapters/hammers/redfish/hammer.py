"""The Redfish hammer: power, boot override, identity, and the way to everything else."""

import re
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from readystate.adapters.hammers.read_back import is_seen_within
from readystate.adapters.hammers.redfish.bios import BiosAccess
from readystate.adapters.hammers.redfish.boot import BootAccess
from readystate.adapters.hammers.redfish.client import Answer, RedfishClient
from readystate.adapters.hammers.redfish.inventory import read_bmc_version, read_inventory
from readystate.adapters.hammers.redfish.readings import read_log, read_sensors
from readystate.adapters.hammers.redfish.storage import StorageAccess
from readystate.adapters.hammers.redfish.tree import RedfishTree, Resource, link, text
from readystate.domain.errors import (
    Busy,
    Failed,
    Invalid,
    Unreachable,
    Unsupported,
    WorkError,
)
from readystate.domain.inventory import Inventory
from readystate.domain.outcome import Json
from readystate.domain.power import BootDevice, BootMode, PowerState
from readystate.domain.quirk import Machine, Quirks
from readystate.ports.hammer import (
    BiosState,
    BmcEndpoint,
    BmcIdentity,
    LogEntry,
    SensorReading,
    StorageState,
)

#: Words of ResetType for one intent, best first; the service's own list decides.
_ON = ("On", "ForceOn")
_OFF = ("ForceOff",)
_SOFT_OFF = ("GracefulShutdown", "PushPowerButton")
_RESET = ("ForceRestart", "GracefulRestart")
#: A machine on its way still has its old state: what was ordered has not been reached.
_POWER = {
    "On": PowerState.ON,
    "PoweringOff": PowerState.ON,
    "Paused": PowerState.ON,
    "Off": PowerState.OFF,
    "PoweringOn": PowerState.OFF,
}


class RedfishHammer:
    """Implements every capability. Shared freely between threads: the client takes one request at
    a time."""

    protocol = "redfish"

    def __init__(
        self,
        endpoint: BmcEndpoint,
        *,
        tls: ssl.SSLContext,
        quirks: Callable[[Machine], Quirks],
        normalise_vendor: Callable[[str], str],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.address = endpoint.address
        self._quirks_of = quirks
        self._quirks = quirks(Machine(endpoint.vendor, endpoint.model, endpoint.firmware))
        self._firmware = endpoint.firmware
        self._normalise_vendor = normalise_vendor
        self._pause = pause
        self._client = RedfishClient(endpoint, tls=tls, use_sessions=self._quirks.redfish_sessions)
        self._tree = RedfishTree(self._client)
        self._boot = BootAccess(self._client, address=self.address, pause=pause)
        self._bios = BiosAccess(self._tree, address=self.address, pause=pause)
        self._storage = StorageAccess(self._tree, address=self.address, pause=pause)
        self._system_path = ""
        self._obey_quirks()

    def close(self) -> None:
        self._client.close()

    def learn(self, machine: Machine) -> None:
        """What the machine is decides how it must be treated."""
        self._firmware = machine.firmware or self._firmware
        self._quirks = self._quirks_of(machine)
        self._obey_quirks()

    # -- power ---------------------------------------------------------------------------------

    def read_power(self) -> PowerState:
        return self._power_of(self._system().body)

    def power_on(self) -> None:
        system = self._system().body
        if self._power_of(system) is PowerState.OFF:
            self._command_power(system, _ON, "power on", PowerState.ON)

    def power_off(self, *, graceful: bool = False) -> None:
        system = self._system().body
        if self._power_of(system) is PowerState.ON:
            if graceful:
                self._command_power(system, _SOFT_OFF, "shut down", PowerState.OFF)
            else:
                self._command_power(system, _OFF, "power off", PowerState.OFF)

    def power_cycle(self) -> None:
        system = self._system()
        if self._power_of(system.body) is PowerState.ON:
            self._command_power(system.body, _OFF, "power off", PowerState.OFF)
            self._pause(self._quirks.command_gap_s)
            # A BMC that restarted meanwhile has forgotten a one-shot override.
            self._boot.reassert(system, self._system, self._quirks)
        self._command_power(system.body, _ON, "power on", PowerState.ON)

    def reset(self) -> None:
        system = self._system().body
        if self._power_of(system) is PowerState.OFF:
            raise Failed(f"{self.address}: cannot reset", why="the machine is off")
        self._command_power(system, _RESET, "reset", PowerState.ON)

    def read_restart_cause(self) -> str:
        raise Unsupported(
            f"{self.address}: Redfish knows no restart cause", hint="ask over IPMI, if it is there"
        )

    def _power_of(self, system: Resource) -> PowerState:
        state = _POWER.get(text(system, "PowerState"))
        if state is None:
            raise Failed(
                f"{self.address}: the BMC does not know the power state",
                why=f"PowerState is {system.get('PowerState')!r}",
            )
        return state

    def _command_power(
        self, system: Resource, words: Sequence[str], doing: str, wanted: PowerState
    ) -> None:
        action = (system.get("Actions") or {}).get("#ComputerSystem.Reset") or {}
        target = text(action, "target")
        if not target:
            raise Unsupported(f"{self.address}: the BMC offers no power control over Redfish")
        allowed = self._allowed_resets(action)
        word = next((item for item in words if not allowed or item in allowed), None)
        if word is None:
            raise Unsupported(
                f"{self.address}: cannot {doing}", why=f"the BMC offers {', '.join(allowed)}"
            )
        lost: WorkError | None = None
        try:
            self._client.post(target, {"ResetType": word})
        except Unreachable as error:
            lost = error  # it may have been obeyed: some BMCs fall silent while the host starts

        def is_there() -> bool:
            try:
                return self.read_power() is wanted
            except (Unreachable, Busy):
                return False

        soft = words is _SOFT_OFF
        settle_s = self._quirks.soft_off_settle_s if soft else self._quirks.power_settle_s
        if not is_seen_within(settle_s, is_there, pause=self._pause):
            if lost:
                raise lost
            raise Failed(
                f"{self.address}: cannot {doing}",
                why=f"accepted, but the BMC does not report {wanted.value!r} after {settle_s:g} s",
                hint=self._quirks.power_advice,
            )

    def _allowed_resets(self, action: Mapping[str, Any]) -> list[str]:
        """Empty when the service does not say."""
        listed = action.get("ResetType@Redfish.AllowableValues")
        path = action.get("@Redfish.ActionInfo")
        if not listed and isinstance(path, str):
            for parameter in (self._tree.find_at(path) or {}).get("Parameters") or ():
                if parameter.get("Name") == "ResetType":
                    listed = parameter.get("AllowableValues")
        return list(listed or ())

    # -- boot ----------------------------------------------------------------------------------

    def read_boot_override(self) -> tuple[BootDevice, bool]:
        return self._boot.read(self._system(), self._quirks)

    def set_boot_override(
        self, device: BootDevice, *, persistent: bool, mode: BootMode | None = None
    ) -> None:
        self._boot.set(
            self._system(), self._system, self._quirks, device, persistent=persistent, mode=mode
        )

    # -- identity and inventory ----------------------------------------------------------------

    def read_identity(self) -> BmcIdentity:
        system = self._system().body
        self._firmware = read_bmc_version(self._tree, system)
        self._learn(system)
        return BmcIdentity(
            vendor=self._normalise_vendor(text(system, "Manufacturer")),
            model=text(system, "Model"),
            serial=text(system, self._quirks.redfish_serial_property, "SerialNumber"),
            uuid=text(system, "UUID").lower(),
            firmware=self._firmware,
        )

    def set_identify_light(self, *, on: bool) -> None:
        answer = self._system()
        if "LocationIndicatorActive" in answer.body:
            self._set_light(answer, {"LocationIndicatorActive": on})
        elif "IndicatorLED" in answer.body:
            # "Lit" is what a steady status light shows on some machines, so blinking is asked for.
            self._set_light(answer, {"IndicatorLED": "Blinking" if on else "Off"})
        else:
            raise Unsupported(f"{self.address}: the BMC shows no identify light over Redfish")

    def _set_light(self, answer: Answer, change: dict[str, Json]) -> None:
        self._client.patch(self._system_path, change, etag=answer.etag)

        def is_set() -> bool:
            system = self._system().body
            return all(system.get(name) == value for name, value in change.items())

        if not is_seen_within(self._quirks.boot_settle_s, is_set, pause=self._pause):
            raise Failed(f"{self.address}: the BMC accepted the identify light but did not set it")

    def read_inventory(self) -> Inventory:
        system = self._system().body
        return read_inventory(
            self._tree,
            system,
            address=self.address,
            serial_property=self._quirks.redfish_serial_property,
        )

    # -- BIOS, storage, readings ---------------------------------------------------------------

    def read_bios(self) -> BiosState:
        return self._bios.read(self._system().body)

    def stage_bios(self, settings: Mapping[str, Json]) -> None:
        self._bios.stage(self._system().body, settings)

    def read_storage(self) -> Sequence[StorageState]:
        return self._storage.read(self._system().body)

    def stage_volume(
        self, controller: str, *, name: str, raid_type: str, drives: Sequence[str]
    ) -> None:
        self._storage.stage_volume(
            self._system().body, controller, name=name, raid_type=raid_type, drives=drives
        )

    def stage_volume_removal(self, controller: str, volume_id: str) -> None:
        self._storage.stage_volume_removal(self._system().body, controller, volume_id)

    def read_sensors(self) -> Sequence[SensorReading]:
        return read_sensors(self._tree, self._system().body)

    def read_log(self, *, limit: int = 200) -> Sequence[LogEntry]:
        return read_log(self._tree, self._system().body, limit)

    # -- the system ----------------------------------------------------------------------------

    def _system(self) -> Answer:
        """The machine behind this BMC, found once and then asked directly."""
        if self._system_path:
            try:
                return self._client.get(self._system_path)
            except Unsupported:  # another firmware may have renamed it
                self._system_path = ""
        self._system_path = self._find_system()
        answer = self._client.get(self._system_path)
        self._learn(answer.body)
        return answer

    def _find_system(self) -> str:
        root = self._tree.root()
        if text(root, "Vendor") and self._quirks == Quirks():
            self._quirks = self._quirks_of(Machine(text(root, "Vendor"), "", self._firmware))
        collection = self._tree.find(root, "Systems")
        if collection is None:
            raise Unsupported(f"{self.address}: the Redfish service shows no systems")
        ignored = self._quirks.redfish_ignored_systems
        paths = [
            path
            for member in collection.get("Members") or ()
            if (path := link(member))
            and not (ignored and re.search(ignored, path.rstrip("/").rpartition("/")[2]))
        ]
        if len(paths) == 1:
            return paths[0]
        if not paths:
            raise Busy(
                f"{self.address}: the Redfish service shows no system",
                why="the collection is empty, as on a BMC that is starting",
            )
        raise Invalid(
            f"{self.address}: the Redfish service shows {len(paths)} systems",
            why=", ".join(paths),
            hint="say by a quirk (redfish_ignored_systems) which of them is not the node",
        )

    def _learn(self, system: Resource) -> None:
        self.learn(Machine(text(system, "Manufacturer"), text(system, "Model"), self._firmware))

    def _obey_quirks(self) -> None:
        self._tree.use_expand = self._quirks.redfish_expand
        self._tree.absent_despite_500 = self._quirks.redfish_absent_despite_500
        self._client.busy_messages = self._quirks.redfish_busy_messages
