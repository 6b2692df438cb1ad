"""The virtual BMC's RMCP+ side as ipmitool, which nobody here wrote, sees it."""

from collections.abc import Iterator

import pytest

from readystate.lab.machines.inert import InertMachine
from readystate.lab.machines.machine import BootDevice
from tests.protocol.rmcp_rack import PASSWORD, Ipmitool, ServedRack, make_bmc, rack_network, serve


@pytest.fixture(scope="module")
def rack() -> Iterator[ServedRack]:
    network = rack_network(40)
    with serve([make_bmc(f"{network}.0.{suite}", suite) for suite in (3, 17)]) as served:
        yield served


@pytest.fixture(params=[3, 17], ids=["suite3", "suite17"])
def ipmitool(request: pytest.FixtureRequest, rack: ServedRack) -> Ipmitool:
    return Ipmitool(rack.bmcs[[3, 17].index(request.param)], request.param)


def test_chassis_status_and_power_follow_the_machine(ipmitool: Ipmitool) -> None:
    ipmitool("power", "off")
    assert "System Power         : off" in ipmitool("chassis", "status")
    assert "Up/On" in ipmitool("power", "on")
    assert "System Power         : on" in ipmitool("chassis", "status")
    assert "Chassis Power is on" in ipmitool("power", "status")
    assert ipmitool.bmc.machine.is_on


def test_cycle_and_reset_boot_the_machine_once_each(ipmitool: Ipmitool) -> None:
    machine = ipmitool.bmc.machine
    assert isinstance(machine, InertMachine)
    ipmitool("power", "on")
    before = len(machine.boots)
    ipmitool("power", "cycle")
    ipmitool("power", "reset")

    assert len(machine.boots) == before + 2


@pytest.mark.parametrize("command", ["cycle", "reset"])
def test_cycle_and_reset_of_a_machine_that_is_off_are_refused(
    ipmitool: Ipmitool, command: str
) -> None:
    ipmitool("power", "off")
    refused = ipmitool.try_("power", command)

    assert refused.returncode != 0
    assert "not supported in present state" in refused.stderr


def test_a_one_shot_boot_device_serves_one_boot(ipmitool: Ipmitool) -> None:
    machine = ipmitool.bmc.machine
    assert isinstance(machine, InertMachine)
    ipmitool("power", "off")
    ipmitool("chassis", "bootdev", "pxe")
    ipmitool("power", "on")
    ipmitool("power", "cycle")
    one_shot, next_boot = machine.boots[-2:]

    assert one_shot.order[0] is BootDevice.PXE
    assert next_boot.order[0] is BootDevice.DISK


def test_a_persistent_efi_boot_device_stays_and_reads_back(ipmitool: Ipmitool) -> None:
    machine = ipmitool.bmc.machine
    assert isinstance(machine, InertMachine)
    ipmitool("power", "on")
    ipmitool("chassis", "bootdev", "pxe", "options=efiboot,persistent")
    ipmitool("power", "cycle")
    ipmitool("power", "cycle")
    spoken = ipmitool("chassis", "bootparam", "get", "5")
    ipmitool("chassis", "bootdev", "none")

    assert [(boot.order[0], boot.uefi) for boot in machine.boots[-2:]] == [
        (BootDevice.PXE, True)
    ] * 2
    assert "Options apply to all future boots" in spoken
    assert "BIOS EFI boot" in spoken
    assert "Force PXE" in spoken


def test_mc_info_names_the_vendor_and_its_firmware(ipmitool: Ipmitool) -> None:
    spoken = ipmitool("mc", "info")

    assert "Manufacturer ID           : 674" in spoken
    assert "Firmware Revision         : 6.10" in spoken


def test_every_sensor_is_listed_with_its_unit(ipmitool: Ipmitool) -> None:
    ipmitool("power", "on")
    rows = [
        [cell.strip() for cell in row.split("|")] for row in ipmitool("sdr", "list").splitlines()
    ]

    assert [
        ["Inlet Temp", "23 degrees C", "ok"],
        ["CPU1 Temp", "47 degrees C", "ok"],
        ["Fan1", "4800 RPM", "ok"],
        ["PSU1 Power", "216 Watts", "ok"],
    ] == rows


def test_a_fan_that_stands_still_with_its_machine_has_no_reading(ipmitool: Ipmitool) -> None:
    ipmitool("power", "off")

    assert "Fan1             | no reading        | ns" in ipmitool("sdr", "list")


def test_sensor_list_shows_the_thresholds(ipmitool: Ipmitool) -> None:
    ipmitool("power", "on")
    row = next(row for row in ipmitool("sensor", "list").splitlines() if row.startswith("Fan1"))

    assert ["480.000", "720.000", "960.000", "na", "na", "na"] == [
        cell.strip() for cell in row.split("|")[4:]
    ]


def test_power_commands_are_logged_and_the_log_can_be_cleared(ipmitool: Ipmitool) -> None:
    ipmitool("power", "off")
    ipmitool("sel", "clear")
    assert ipmitool("sel", "list") == ""
    ipmitool("power", "on")
    ipmitool("power", "off")
    spoken = ipmitool("sel", "list").splitlines()

    assert "Power Unit" in spoken[0]
    assert "Power off/down | Deasserted" in spoken[0]
    assert "Power off/down | Asserted" in spoken[1]


def test_an_added_log_entry_reads_back_as_it_was_given(ipmitool: Ipmitool) -> None:
    record = [
        "0x00",
        "0x00",
        "0x02",
        "0",
        "0",
        "0",
        "0",
        "0x41",
        "0x00",
        "0x04",
        "0x0d",
        "0x81",
        "0x6f",
        "0x00",
        "0xff",
        "0xff",
    ]
    ipmitool("raw", "0x0a", "0x44", *record)

    assert "Drive Slot / Bay #0x81 | Drive Present | Asserted" in ipmitool("sel", "list")


def test_an_event_that_a_console_reports_is_logged(ipmitool: Ipmitool) -> None:
    ipmitool("event", "1")

    assert "Temperature #0x30 | Upper Critical going high | Asserted" in ipmitool("sel", "list")


def test_fru_names_chassis_board_and_product(ipmitool: Ipmitool) -> None:
    spoken = ipmitool("fru", "print", "0")
    fields = dict(row.split(":", 1) for row in spoken.splitlines() if ":" in row)
    told = {name.strip(): value.strip() for name, value in fields.items()}
    hardware = ipmitool.bmc.machine.hardware

    assert hardware.manufacturer == told["Board Mfg"]
    assert hardware.model == told["Product Name"]
    assert hardware.serial == told["Chassis Serial"] == told["Product Serial"]
    assert hardware.asset_tag == told["Product Asset Tag"]


def test_lan_print_shows_the_address_and_the_suites(ipmitool: Ipmitool) -> None:
    spoken = ipmitool("lan", "print", "1")

    assert f"IP Address              : {ipmitool.bmc.address}\n" in spoken
    assert f"MAC Address             : {ipmitool.bmc.mac}\n" in spoken
    assert "RMCP+ Cipher Suites     : 3,17" in spoken


def test_a_user_who_is_made_over_ipmi_can_log_in(ipmitool: Ipmitool) -> None:
    ipmitool("user", "set", "name", "5", "carol")
    ipmitool(
        "raw",
        "0x06",
        "0x47",
        "0x05",
        "0x02",
        *(str(byte) for byte in b"seven-words".ljust(16, b"\0")),
    )
    ipmitool("channel", "setaccess", "1", "5", "privilege=3")
    ipmitool("user", "enable", "5")
    carol = Ipmitool(ipmitool.bmc, ipmitool.suite, "carol", "seven-words", "OPERATOR")
    listed = [row.split() for row in ipmitool("user", "list", "1").splitlines()]

    assert ["5", "carol", "true", "false", "true", "OPERATOR"] in listed
    assert "Chassis Power" in carol("power", "status")
    ipmitool("user", "disable", "5")
    assert carol.try_("power", "status").returncode == 1


def test_a_tested_password_is_only_right_when_it_is_right(ipmitool: Ipmitool) -> None:
    """Over the raw command, because ipmitool's own takes the password in argv."""
    right = [str(byte) for byte in PASSWORD.encode().ljust(16, b"\0")]
    wrong = ["0", *right[1:]]
    ipmitool("raw", "0x06", "0x47", "0x02", "0x03", *right)

    assert "rsp=0x80" in ipmitool.try_("raw", "0x06", "0x47", "0x02", "0x03", *wrong).stderr


def test_dcmi_tells_power_and_keeps_an_asset_tag(ipmitool: Ipmitool) -> None:
    ipmitool("power", "on")
    assert "216 Watts" in ipmitool("dcmi", "power", "reading")
    ipmitool("dcmi", "set_asset_tag", "row-7-unit-12")

    assert "Asset tag: row-7-unit-12" in ipmitool("dcmi", "asset_tag")
    assert ipmitool.bmc.asset_tag == "row-7-unit-12"
    ipmitool.bmc.asset_tag = ""


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("chassis restart_cause", "System restart cause: chassis power control command"),
        ("chassis policy previous", "policy to previous"),
        ("chassis identify 5", "Chassis identify interval: 5 seconds"),
        ("mc guid", "4c4c4544-0035-5910-8043-0000000000"),
        ("mc selftest", "Selftest: passed"),
        ("channel info 1", "802.3 LAN"),
        ("channel getciphers ipmi 1", "sha256_128"),
        ("session info active", "user id                       : 2"),
        ("sol info 1", "Enabled                         : false"),
    ],
)
def test_smaller_questions_are_answered(ipmitool: Ipmitool, command: str, answer: str) -> None:
    ipmitool("power", "on")
    assert answer in ipmitool(*command.split())


def test_a_command_that_no_bmc_knows_is_refused(ipmitool: Ipmitool) -> None:
    assert "rsp=0xc1" in ipmitool.try_("raw", "0x06", "0x99").stderr


@pytest.mark.parametrize(
    "command", ["power on", "chassis bootdev pxe", "sel clear", "user disable 2", "raw 0x06 0x02"]
)
def test_a_session_at_user_level_may_look_but_not_touch(ipmitool: Ipmitool, command: str) -> None:
    onlooker = Ipmitool(ipmitool.bmc, ipmitool.suite, level="USER")
    assert "Chassis Power" in onlooker("power", "status")
    refused = onlooker.try_(*command.split())

    assert "privilege" in (refused.stdout + refused.stderr).lower()


@pytest.mark.parametrize(
    ("personality", "manufacturer"),
    [("dell", 674), ("hpe", 47196), ("supermicro", 10876), ("generic-ipmi", 0)],
)
def test_the_personality_names_its_manufacturer(personality: str, manufacturer: int) -> None:
    bmc = make_bmc(f"{rack_network(40)}.1.1", personality=personality)
    with serve([bmc]):
        assert f"Manufacturer ID           : {manufacturer}\n" in Ipmitool(bmc)("mc", "info")
