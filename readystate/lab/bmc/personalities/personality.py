"""What makes one vendor's Redfish tree look unlike another's, as data.

The builders of the tree are shared; they ask a personality for ids, for the paths that vendors
choose themselves, and for which of the allowed behaviours this vendor has."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum, auto

from readystate.lab.bmc.bios_attribute import BiosAttribute
from readystate.lab.bmc.redfish_messages import Spelling
from readystate.lab.hardware import Hardware

ROOT = "/redfish/v1"


class BiosCommit(StrEnum):
    DIRECT = auto()  #: what is written to the settings object takes effect at the next boot
    BY_JOB = auto()  #: only once a job has been made for it, by apply time or by hand


class VolumeWork(StrEnum):
    AT_ONCE = auto()  #: 201, the volume is there
    BY_TASK = auto()  #: 202 and a task that is soon done
    BY_JOB = auto()  #: 202 and a job, which waits for the reset unless Immediate is asked for


class AccountStyle(StrEnum):
    SLOTS = auto()  #: a fixed number of accounts; an empty one is filled by PATCH
    COLLECTION = auto()  #: POST makes an account, DELETE removes it


class IfMatch(StrEnum):
    """Resources that may be refused (428) when a PATCH carries no If-Match."""

    BIOS = auto()
    ACCOUNT = auto()


@dataclass(frozen=True)
class Expand:
    """`ProtocolFeaturesSupported.ExpandQuery`, and what the service really does."""

    max_levels: int
    all: bool  #: `*`
    links: bool  #: `~`
    no_links: bool = True  #: `.`


@dataclass(frozen=True)
class LogService:
    under: str  #: `Managers` or `Systems`
    id: str
    name: str


@dataclass(frozen=True, eq=False)  # told apart by identity, so that it can be a key
class Personality:
    vendor: str  #: as in the service root
    product: str
    redfish_version: str
    spelling: Spelling
    system_id: str
    chassis_id: str
    manager_id: str
    manager_model: str
    session_limit: int
    session_timeout_s: int  #: of a session that is not used
    bios_path: str  #: as the system links to it
    bios_settings_path: str
    registry_id: str  #: of the BIOS attribute registry
    registry_uri: str
    bios_attributes: tuple[BiosAttribute, ...]
    reset_types: tuple[str, ...]  #: that ComputerSystem.Reset allows
    manager_reset_types: tuple[str, ...]
    logs: tuple[LogService, ...]
    media_id: str  #: of the virtual CD
    cpu_id: Callable[[int], str]  #: these four from an index counting from 0
    dimm_id: Callable[[int], str]
    nic_id: Callable[[int], str]
    controller_id: Callable[[int], str]
    drive_pattern: str  #: a drive's path, `{}` for the ids of its controller and of itself
    drive_id: Callable[[int, str], str]  #: from its index on the controller and its name
    volume_id: Callable[[int, str], str]  #: number counting from 0, controller id
    firmware_ids: Callable[[Hardware], tuple[str, str]]  #: of BIOS and BMC in the inventory
    task_id: Callable[[int], str]
    task_monitor_path: Callable[[str], str]  #: where Location leads after a 202
    expand: Expand | None = None
    bios_commit: BiosCommit = BiosCommit.DIRECT
    volume_work: VolumeWork = VolumeWork.AT_ONCE
    account_style: AccountStyle = AccountStyle.COLLECTION
    minimum_password: int = 8
    is_case_insensitive: bool = False
    has_sensors: bool = False
    has_jobs: bool = False  #: JobService and the Dell collection of jobs
    reset_status: int = 200  #: of an accepted reset: 204 without a body, or 200 with a message
    same_state_status: int | None = None  #: of "on" when on or "off" when off; None: accepted
    exhausted_status: int = 503
    demands_if_match: frozenset[IfMatch] = frozenset()
    advertises_basic_auth: bool = True
    has_enclosures: bool = False  #: a chassis of its own holds each controller's drives
    has_controllers: bool = False  #: a collection of its own, not a list inside the storage
    has_service_tag: bool = False  #: the system's SKU is its serial number

    @property
    def system_path(self) -> str:
        return f"{ROOT}/Systems/{self.system_id}"

    @property
    def chassis_path(self) -> str:
        return f"{ROOT}/Chassis/{self.chassis_id}"

    @property
    def manager_path(self) -> str:
        return f"{ROOT}/Managers/{self.manager_id}"

    @property
    def storage_path(self) -> str:
        return f"{self.system_path}/Storage"

    def log_path(self, log: LogService) -> str:
        owner = self.manager_path if log.under == "Managers" else self.system_path
        return f"{owner}/LogServices/{log.id}"
