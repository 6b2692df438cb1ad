"""Which resource lives at which path, for one personality: the whole tree at a glance.

A resource is built when it is asked for. Tables are made once for a personality and serve every
BMC of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cache, partial

from readystate.lab.bmc import redfish_accounts as accounts
from readystate.lab.bmc import redfish_bios as bios
from readystate.lab.bmc import redfish_chassis as chassis
from readystate.lab.bmc import redfish_manager as manager
from readystate.lab.bmc import redfish_root as root
from readystate.lab.bmc import redfish_storage as storage
from readystate.lab.bmc import redfish_system as system
from readystate.lab.bmc.personalities.personality import (
    ROOT,
    AccountStyle,
    IfMatch,
    LogService,
    Personality,
)
from readystate.lab.bmc.redfish_messages import Body
from readystate.lab.bmc.redfish_service import Answer
from readystate.lab.bmc.redfish_sessions import Privilege

Read = Callable[..., Body]  #: (service, *ids) -> body; raises a Refusal when there is no such id
Write = Callable[..., Awaitable[Answer]]  #: (service, ask, *ids) -> answer


@dataclass(frozen=True)
class Route:
    """What can be done at a path. What is None answers 405."""

    read: Read | None = None
    patch: Write | None = None
    post: Write | None = None
    delete: Write | None = None
    needs: Privilege = Privilege.COMPONENTS  #: for a write
    is_public: bool = False  #: read without credentials
    is_login: bool = False  #: POST opens a session
    is_monitor: bool = False  #: read shows a task: 202 until it is final
    demands_if_match: bool = False

    @property
    def allow(self) -> str:
        methods = {
            "GET": self.read or self.is_monitor,
            "HEAD": self.read or self.is_monitor,
            "PATCH": self.patch,
            "POST": self.post or self.is_login,
            "DELETE": self.delete,
        }
        return ", ".join(method for method, handler in methods.items() if handler)


@dataclass
class _Branch:
    children: dict[str, "_Branch"] = field(default_factory=dict)
    any: "_Branch | None" = None  #: the branch of `{}`
    route: Route | None = None


class Tree:
    """Finds the route of a path; a trailing slash does not matter."""

    def __init__(self, routes: dict[str, Route], *, is_case_insensitive: bool = False) -> None:
        self._is_case_insensitive = is_case_insensitive
        self._trunk = _Branch()
        for template, route in routes.items():
            branch = self._trunk
            for part in self._split(template):
                if part == "{}":
                    branch.any = branch.any or _Branch()
                    branch = branch.any
                else:
                    branch = branch.children.setdefault(self._fold(part), _Branch())
            branch.route = route

    def find(self, path: str) -> tuple[Route, tuple[str, ...]] | None:
        """Return the route and the ids that stand for its `{}`."""
        return self._descend(self._trunk, self._split(path), ())

    def _descend(
        self, branch: _Branch, parts: list[str], ids: tuple[str, ...]
    ) -> tuple[Route, tuple[str, ...]] | None:
        """A part that is spelt out in a template goes before one that any `{}` would take."""
        if not parts:
            return None if branch.route is None else (branch.route, ids)
        first, rest = parts[0], parts[1:]
        child = branch.children.get(self._fold(first))
        found = self._descend(child, rest, ids) if child else None
        if found is None and branch.any:
            found = self._descend(branch.any, rest, (*ids, first))
        return found

    def _split(self, path: str) -> list[str]:
        return path.strip("/").split("/")

    def _fold(self, part: str) -> str:
        return part.lower() if self._is_case_insensitive else part


@cache
def tree_of(personality: Personality) -> Tree:
    routes = (
        _root_routes(personality)
        | _system_routes(personality)
        | _storage_routes(personality)
        | _bios_routes(personality)
        | _chassis_routes(personality)
        | _manager_routes(personality)
        | _log_routes(personality)
        | _account_routes(personality)
        | (_job_routes(personality) if personality.has_jobs else {})
    )
    return Tree(routes, is_case_insensitive=personality.is_case_insensitive)


def _root_routes(p: Personality) -> dict[str, Route]:
    monitor = p.task_monitor_path("{}")
    return {
        "/redfish": Route(root.read_versions, is_public=True),
        ROOT: Route(root.read_root, is_public=True),
        f"{ROOT}/odata": Route(root.read_odata, is_public=True),
        root.REGISTRIES: Route(root.read_registries),
        f"{root.REGISTRIES}/{{}}": Route(root.read_registry_file),
        root.BASE_REGISTRY: Route(root.read_base_registry),
        f"{ROOT}/UpdateService": Route(root.read_update_service),
        root.FIRMWARE: Route(root.read_firmware_list),
        f"{root.FIRMWARE}/{{}}": Route(root.read_firmware),
        f"{ROOT}/TaskService": Route(root.read_task_service),
        root.TASKS: Route(root.read_tasks),
        f"{root.TASKS}/{{}}": Route(root.read_task, delete=root.delete_task),
        monitor: Route(is_monitor=True, read=root.read_task),
    }


def _job_routes(p: Personality) -> dict[str, Route]:
    dell_jobs = f"{p.manager_path}/Oem/Dell/Jobs"
    return {
        f"{ROOT}/JobService": Route(root.read_job_service),
        root.JOBS: Route(root.read_jobs),
        f"{root.JOBS}/{{}}": Route(root.read_job, delete=root.delete_task),
        dell_jobs: Route(root.read_dell_jobs, post=root.create_dell_job),
        f"{dell_jobs}/{{}}": Route(root.read_dell_job, delete=root.delete_task),
        bios.clear_pending_path(p): Route(post=bios.clear_pending),
    }


def _system_routes(p: Personality) -> dict[str, Route]:
    path = p.system_path
    return {
        f"{ROOT}/Systems": Route(system.read_systems),
        path: Route(system.read_system, patch=system.patch_system),
        f"{path}/Actions/ComputerSystem.Reset": Route(post=system.reset_system),
        f"{path}/BootOptions": Route(system.read_boot_options),
        f"{path}/BootOptions/{{}}": Route(system.read_boot_option),
        f"{path}/Processors": Route(system.read_processors),
        f"{path}/Processors/{{}}": Route(system.read_processor),
        f"{path}/Memory": Route(system.read_memories),
        f"{path}/Memory/{{}}": Route(system.read_memory),
        f"{path}/EthernetInterfaces": Route(system.read_nics),
        f"{path}/EthernetInterfaces/{{}}": Route(system.read_nic),
    }


def _storage_routes(p: Personality) -> dict[str, Route]:
    path = p.storage_path
    volumes = f"{path}/{{}}/Volumes"
    routes = {
        path: Route(storage.read_storages),
        f"{path}/{{}}": Route(storage.read_storage),
        p.drive_pattern: Route(storage.read_drive),
        volumes: Route(storage.read_volumes, post=storage.create_volume),
        f"{volumes}/{{}}": Route(storage.read_volume, delete=storage.delete_volume),
        f"{volumes}/{{}}/Actions/Volume.Initialize": Route(post=storage.initialize_volume),
    }
    if p.has_controllers:
        routes[f"{path}/{{}}/Controllers"] = Route(storage.read_controllers)
        routes[f"{path}/{{}}/Controllers/0"] = Route(storage.read_controller)
    if p.has_enclosures:
        routes[f"{ROOT}/Chassis/{{}}"] = Route(storage.read_enclosure)
    return routes


def _bios_routes(p: Personality) -> dict[str, Route]:
    actions = f"{p.bios_path.rstrip('/')}/Actions"
    return {
        p.bios_path: Route(bios.read_bios),
        p.bios_settings_path: Route(
            bios.read_settings,
            patch=bios.patch_settings,
            demands_if_match=IfMatch.BIOS in p.demands_if_match,
        ),
        f"{actions}/Bios.ResetBios": Route(post=bios.reset_bios),
        p.registry_uri: Route(bios.read_registry),
    }


def _chassis_routes(p: Personality) -> dict[str, Route]:
    path = p.chassis_path
    routes = {
        f"{ROOT}/Chassis": Route(chassis.read_chassis_list),
        path: Route(chassis.read_chassis, patch=chassis.patch_chassis),
        f"{path}/Thermal": Route(chassis.read_thermal),
        f"{path}/Power": Route(chassis.read_power),
    }
    if p.has_sensors:
        routes[f"{path}/Sensors"] = Route(chassis.read_sensors)
        routes[f"{path}/Sensors/{{}}"] = Route(chassis.read_sensor)
    return routes


def _manager_routes(p: Personality) -> dict[str, Route]:
    path = p.manager_path
    media = f"{path}/VirtualMedia/{p.media_id}"
    return {
        f"{ROOT}/Managers": Route(manager.read_managers),
        path: Route(manager.read_manager),
        f"{path}/Actions/Manager.Reset": Route(post=manager.reset_manager, needs=Privilege.MANAGER),
        f"{path}/EthernetInterfaces": Route(manager.read_interfaces),
        f"{path}/EthernetInterfaces/1": Route(manager.read_interface),
        f"{path}/VirtualMedia": Route(manager.read_media_list),
        media: Route(manager.read_media),
        f"{media}/Actions/VirtualMedia.InsertMedia": Route(post=manager.insert_media),
        f"{media}/Actions/VirtualMedia.EjectMedia": Route(post=manager.eject_media),
    }


def _log_routes(p: Personality) -> dict[str, Route]:
    routes: dict[str, Route] = {}
    for log in p.logs:
        path = p.log_path(log)
        routes |= {
            path.rpartition("/")[0]: Route(partial(manager.read_logs, under=log.under)),
            path: Route(partial(manager.read_log, log=log)),
            f"{path}/Entries": Route(partial(manager.read_entries, log=log)),
            f"{path}/Entries/{{}}": Route(_entry_of(log)),
            f"{path}/Actions/LogService.ClearLog": Route(post=manager.clear_log),
        }
    return routes


def _entry_of(log: LogService) -> Read:
    return lambda service, entry_id: manager.read_entry(service, log, entry_id)


def _account_routes(p: Personality) -> dict[str, Route]:
    grows = p.account_style is AccountStyle.COLLECTION
    return {
        f"{ROOT}/AccountService": Route(accounts.read_account_service),
        accounts.ROLE_PATH: Route(accounts.read_roles),
        f"{accounts.ROLE_PATH}/{{}}": Route(accounts.read_role),
        accounts.ACCOUNTS: Route(
            accounts.read_accounts,
            post=accounts.create_account if grows else None,
            needs=Privilege.MANAGER,
        ),
        f"{accounts.ACCOUNTS}/{{}}": Route(
            accounts.read_account,
            patch=accounts.patch_account,
            delete=accounts.delete_account if grows else None,
            # everyone may change the own password; the handler asks for more where it must
            needs=Privilege.LOGIN,
            demands_if_match=IfMatch.ACCOUNT in p.demands_if_match,
        ),
        f"{ROOT}/SessionService": Route(accounts.read_session_service),
        accounts.SESSIONS: Route(accounts.read_sessions, is_login=True),
        f"{accounts.SESSIONS}/{{}}": Route(
            accounts.read_session, delete=accounts.delete_session, needs=Privilege.LOGIN
        ),
    }
