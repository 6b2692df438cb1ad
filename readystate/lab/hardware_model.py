"""The hardware that a virtual rack is made of: four makes, each with a typical model, its parts
and the numbering that its maker uses. The same number and seed give the same machine."""

import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from readystate.lab.hardware import Drive, Hardware, Nic

GB, TB, GIB = 10**9, 10**12, 2**30

#: Letters of service tags: none that a person confuses with a digit.
_TAG_LETTERS = "0123456789BCDFGHJKLMNPQRSTVWXYZ"
#: The last three octets of a MAC are the machine's number and the port.
MOST_MACHINES = 2**20
_PORTS = 16


@dataclass(frozen=True)
class Port:
    name: str  #: `eno1`
    speed_mbps: int
    pci: str


@dataclass(frozen=True)
class Bay:
    name: str
    size_bytes: int
    model: str
    media: str = "SSD"
    protocol: str = "SATA"
    controller: str = "RAID.1"


@dataclass(frozen=True)
class Model:
    personality: str
    manufacturer: str
    name: str
    serial_prefix: str
    oui: str  #: of the first NIC and its neighbours
    bios_version: str
    bmc_version: str
    cpus: tuple[tuple[str, int], ...]  #: models with their cores; a machine has one of them
    sockets: int
    memory_gib: tuple[int, ...]  #: a machine has one of these
    ports: tuple[Port, ...]  #: the first one netboots
    bays: tuple[Bay, ...]


DELL = Model(
    personality="dell",
    manufacturer="Dell Inc.",
    name="PowerEdge R750",
    serial_prefix="",
    oui="b0:7b:25",
    bios_version="1.9.2",
    bmc_version="6.00.30.00",
    cpus=(("Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz", 32),
          ("Intel(R) Xeon(R) Gold 6354 CPU @ 3.00GHz", 18)),
    sockets=2,
    memory_gib=(256, 512),
    ports=(
        Port("eno12399np0", 25_000, "0000:31:00.0"),
        Port("eno12409np1", 25_000, "0000:31:00.1"),
        Port("eno8303", 1_000, "0000:04:00.0"),
        Port("eno8403", 1_000, "0000:04:00.1"),
    ),
    bays=(
        Bay("Disk.Direct.0", 240 * GB, "SSDSCKKB240G8R", controller="BOSS.1"),
        Bay("Disk.Bay.0", 480 * GB, "MZ7L3480HBLT0D3"),
        Bay("Disk.Bay.1", 480 * GB, "MZ7L3480HBLT0D3"),
        *(
            Bay(f"Disk.Bay.{number}", 2400 * GB, "AL15SEB24EQY", media="HDD", protocol="SAS")
            for number in range(2, 6)
        ),
    ),
)  # fmt: skip

HPE = Model(
    personality="hpe",
    manufacturer="HPE",
    name="ProLiant DL360 Gen10",
    serial_prefix="CZJ",
    oui="48:df:37",
    bios_version="U32 v2.68 (07/14/2022)",
    bmc_version="2.72",
    cpus=(("Intel(R) Xeon(R) Gold 6230 CPU @ 2.10GHz", 20),
          ("Intel(R) Xeon(R) Silver 4214 CPU @ 2.20GHz", 12)),
    sockets=2,
    memory_gib=(192, 384),
    ports=(
        Port("eno5", 10_000, "0000:5d:00.0"),
        Port("eno6", 10_000, "0000:5d:00.1"),
        *(Port(f"eno{number + 1}", 1_000, f"0000:02:00.{number}") for number in range(4)),
    ),
    bays=(
        Bay("M.2:1", 480 * GB, "MZVL2512HCJQ", protocol="NVMe", controller="NS204i.1"),
        Bay("1I:1:1", 960 * GB, "VK000960GWTTB"),
        Bay("1I:1:2", 960 * GB, "VK000960GWTTB"),
        Bay("1I:1:3", 1800 * GB, "EG001800JWJNR", media="HDD", protocol="SAS"),
        Bay("1I:1:4", 1800 * GB, "EG001800JWJNR", media="HDD", protocol="SAS"),
    ),
)  # fmt: skip

SUPERMICRO = Model(
    personality="supermicro",
    manufacturer="Supermicro",
    name="SYS-2029TP-HC0R",
    serial_prefix="S",
    oui="ac:1f:6b",
    bios_version="3.4",
    bmc_version="1.74.06",
    cpus=(("Intel(R) Xeon(R) Silver 4210R CPU @ 2.40GHz", 10),),
    sockets=2,
    memory_gib=(96, 192),
    ports=(
        Port("eno1", 10_000, "0000:18:00.0"),
        Port("eno2", 10_000, "0000:18:00.1"),
    ),
    bays=(
        Bay("SATADOM", 64 * GB, "SSD-DM064-SMCMVN1", controller="AHCI"),
        Bay("Disk.Bay.0", 3840 * GB, "MTFDDAK3T8TDS"),
        Bay("Disk.Bay.1", 3840 * GB, "MTFDDAK3T8TDS"),
    ),
)

GENERIC_IPMI = Model(
    personality="generic-ipmi",
    manufacturer="Tyan Computer Corporation",
    name="B7106T70",
    serial_prefix="TY",
    oui="00:e0:81",
    bios_version="V2.05",
    bmc_version="4.12",
    cpus=(("Intel(R) Xeon(R) Bronze 3206R CPU @ 1.90GHz", 8),),
    sockets=1,
    memory_gib=(32, 64),
    ports=(
        Port("enp1s0f0", 1_000, "0000:01:00.0"),
        Port("enp1s0f1", 1_000, "0000:01:00.1"),
    ),
    bays=(
        Bay("SATA0", 240 * GB, "INTEL SSDSC2KB24", controller="AHCI"),
        Bay("SATA1", 8 * TB, "ST8000NM000A", media="HDD", controller="AHCI"),
    ),
)

MODELS = {model.personality: model for model in (DELL, HPE, SUPERMICRO, GENERIC_IPMI)}


def make_hardware(model: Model, number: int, *, seed: int = 0) -> Hardware:
    """Machine `number` (from 1) as one of this model; no two numbers share a serial or a MAC."""
    chance = random.Random(f"{seed}/{number}")
    cpu, cores = chance.choice(model.cpus)
    tag = _tag(number, chance)
    return Hardware(
        personality=model.personality,
        manufacturer=model.manufacturer,
        model=model.name,
        serial=model.serial_prefix + tag,
        uuid=str(uuid.UUID(int=chance.getrandbits(128), version=4)),
        bios_version=model.bios_version,
        bmc_version=model.bmc_version,
        cpu_model=cpu,
        cpu_sockets=model.sockets,
        cpu_cores=cores,
        memory_bytes=chance.choice(model.memory_gib) * GIB,
        nics=_nics(model, number),
        drives=_drives(model.bays, tag),
        asset_tag=f"rack-{number:05d}",
    )


def _tag(number: int, chance: random.Random) -> str:
    """Seven letters: three by chance, four that count."""
    counted = ""
    for _ in range(4):
        number, digit = divmod(number, len(_TAG_LETTERS))
        counted = _TAG_LETTERS[digit] + counted
    return "".join(chance.choices(_TAG_LETTERS, k=3)) + counted


def _nics(model: Model, number: int) -> tuple[Nic, ...]:
    nics = []
    for index, port in enumerate(model.ports):
        low = (number * _PORTS + index).to_bytes(3, "big")
        mac = f"{model.oui}:{low.hex(':')}"
        nics.append(Nic(port.name, mac, port.speed_mbps, port.pci))
    return tuple(nics)


def _drives(bays: Sequence[Bay], tag: str) -> tuple[Drive, ...]:
    return tuple(
        Drive(
            bay.name,
            bay.size_bytes,
            bay.model,
            serial=f"{bay.model[:2]}{tag}{index:02d}",
            media=bay.media,
            protocol=bay.protocol,
            controller=bay.controller,
        )
        for index, bay in enumerate(bays)
    )
