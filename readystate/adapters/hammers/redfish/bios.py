"""BIOS settings over Redfish: current, pending, and staging with the registry's consent.

Pending settings live in a settings resource beside the BIOS resource (DSP0266 section 9.10). Some
services list there only what is pending (iDRAC), some all attributes (iLO): pending is therefore
whatever differs from what is in effect."""

from collections.abc import Callable, Mapping
from typing import Any

from readystate.adapters.hammers.read_back import is_seen_within
from readystate.adapters.hammers.redfish.tree import RedfishTree, Resource, link, text
from readystate.domain.errors import Busy, Failed, Invalid, Unsupported
from readystate.domain.outcome import Json
from readystate.ports.hammer import BiosState

#: iDRAC answers the change at once and shows it as pending within a few seconds.
_STAGED_WITHIN_S = 30.0


class BiosAccess:
    def __init__(self, tree: RedfishTree, *, address: str, pause: Callable[[float], None]) -> None:
        self._tree = tree
        self._address = address
        self._pause = pause
        self._registries: dict[str, dict[str, Resource]] = {}

    def read(self, system: Resource) -> BiosState:
        return self._state(self._bios(system))

    def stage(self, system: Resource, settings: Mapping[str, Json]) -> None:
        bios = self._bios(system)
        state = self._state(bios)
        effective = {**state.current, **state.pending}
        changes = {name: value for name, value in settings.items() if effective.get(name) != value}
        if not changes:
            return
        self._refuse_unknown(bios, changes)
        path = self._settings_path(bios)
        body: dict[str, Json] = {"Attributes": changes}
        times = (bios.get("@Redfish.Settings") or {}).get("SupportedApplyTimes") or ()
        if "OnReset" in times:
            # iDRAC makes its configuration job from this; without it nothing would happen.
            body["@Redfish.SettingsApplyTime"] = {
                "@odata.type": "#Settings.v1_1_0.PreferredApplyTime",
                "ApplyTime": "OnReset",
            }
        try:
            self._tree.client.patch(path, body, etag=self._tree.client.get(path).etag)
        except Invalid as error:
            if state.pending:  # iDRAC takes no more once a job holds what is pending
                raise Busy(
                    f"{self._address}: the BMC takes no BIOS settings now",
                    why=f"others are pending; it said: {error.why}",
                    hint="reset the machine so that they are applied",
                ) from error
            raise

        def is_staged() -> bool:
            now = self.read(system)
            will_be = {**now.current, **now.pending}
            return all(will_be.get(name) == value for name, value in settings.items())

        if not is_seen_within(_STAGED_WITHIN_S, is_staged, pause=self._pause):
            raise Failed(
                f"{self._address}: the BMC does not keep the BIOS settings",
                why=f"accepted {', '.join(sorted(changes))}, but they are not pending",
            )

    # -- reading -------------------------------------------------------------------------------

    def _bios(self, system: Resource) -> Resource:
        bios = self._tree.find(system, "Bios")
        if bios is None or not isinstance(bios.get("Attributes"), dict):
            raise Unsupported(f"{self._address}: the BMC shows no BIOS settings over Redfish")
        return bios

    def _state(self, bios: Resource) -> BiosState:
        current = bios["Attributes"]
        path = link(bios, "@Redfish.Settings", "SettingsObject")
        settings = self._tree.find_at(path) if path else None
        listed = (settings or {}).get("Attributes") or {}
        pending = {name: value for name, value in listed.items() if current.get(name) != value}
        return BiosState(current=current, pending=pending)

    def _settings_path(self, bios: Resource) -> str:
        path = link(bios, "@Redfish.Settings", "SettingsObject")
        if not path:
            raise Unsupported(f"{self._address}: the BMC's BIOS settings cannot be changed")
        return path

    # -- the registry --------------------------------------------------------------------------

    def _refuse_unknown(self, bios: Resource, changes: Mapping[str, Json]) -> None:
        registry = self._registry(text(bios, "AttributeRegistry"))
        known = registry or {name: {} for name in bios["Attributes"]}
        problems = [
            problem
            for name, value in sorted(changes.items())
            if (problem := _problem(name, value, known))
        ]
        if problems:
            raise Invalid(
                f"{self._address}: {len(problems)} BIOS setting(s) refused, none staged",
                why="; ".join(problems),
                hint="compare with the attributes that the BMC lists",
            )

    def _registry(self, name: str) -> dict[str, Resource]:
        """Attributes by name from the BIOS attribute registry; empty when it cannot be had, as
        on BMCs that fetch registries from the internet."""
        if name and name not in self._registries:
            self._registries[name] = self._load_registry(name)
        return self._registries.get(name, {})

    def _load_registry(self, name: str) -> dict[str, Resource]:
        wanted = name.lower()
        for reference in (self._tree.find(self._tree.root(), "Registries") or {}).get(
            "Members", ()
        ):
            path = link(reference)
            # `BiosAttributeRegistry.v1_0_3` may be filed as `BiosAttributeRegistry.v1_0_0` (R750).
            stem = path.rstrip("/").rpartition("/")[2].lower().partition(".")[0]
            if stem != wanted.partition(".")[0]:
                continue
            for place in (self._tree.find_at(path) or {}).get("Location") or ():
                if not str(place.get("Language", "en")).startswith("en"):
                    continue
                registry = self._tree.find_at(text(place, "Uri")) if text(place, "Uri") else None
                entries = (registry or {}).get("RegistryEntries") or {}
                found = entries.get("Attributes") or ()
                if found:
                    return {item["AttributeName"]: item for item in found}
        return {}


def _problem(name: str, value: Json, known: Mapping[str, Resource]) -> str:
    """What the registry has against this value, or "" (DSP0268, AttributeRegistry)."""
    if name not in known:
        return f"{name}: no such attribute"
    entry = known[name]
    if entry.get("ReadOnly") or entry.get("Immutable"):
        return f"{name}: read-only"
    kind = entry.get("Type", "")
    if kind == "Enumeration":
        allowed = [item.get("ValueName") for item in entry.get("Value") or ()]
        if allowed and value not in allowed:
            return f"{name}: {value!r} is none of {', '.join(map(str, allowed))}"
    if kind == "Integer":
        return _integer_problem(name, value, entry)
    if kind == "Boolean" and not isinstance(value, bool):
        return f"{name}: {value!r} is not true or false"
    if kind in ("String", "Password") and not isinstance(value, str):
        return f"{name}: {value!r} is not a text"
    return ""


def _integer_problem(name: str, value: Json, entry: Mapping[str, Any]) -> str:
    if isinstance(value, bool) or not isinstance(value, int):
        return f"{name}: {value!r} is not a whole number"
    low, high = entry.get("LowerBound"), entry.get("UpperBound")
    if (low is not None and value < low) or (high is not None and value > high):
        return f"{name}: {value} is outside {low}..{high}"
    return ""
