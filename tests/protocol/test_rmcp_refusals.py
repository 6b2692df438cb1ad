"""Who is not let in, what is not obeyed, and that the BMC says so as the specification wants."""

import random
import socket
import time
from collections.abc import Iterator

import pytest

from readystate.lab.bmc.virtual_bmc import BmcUser, VirtualBmc
from readystate.lab.machines.inert import InertMachine
from tests.protocol.rmcp_rack import (
    PASSWORD,
    PING,
    PORT,
    Ipmitool,
    Relay,
    ServedRack,
    ask,
    make_bmc,
    open_session_request,
    rack_network,
    serve,
)

NETWORK = rack_network(64)
OPEN_ANSWER_BYTES, OPEN_REFUSAL_BYTES = 52, 24
STATUS = 17  #: offset of the status in a session-setup answer
QUICK = ("-N", "1", "-R", "1")


@pytest.fixture
def rack() -> Iterator[ServedRack]:
    with serve([make_bmc(f"{NETWORK}.0.1")]) as served:
        yield served


@pytest.fixture
def roomy_rack() -> Iterator[ServedRack]:
    """With places enough that half-open sessions are not what a test runs into."""
    with serve([make_bmc(f"{NETWORK}.0.1")], sessions_per_bmc=1000) as served:
        yield served


def boots_of(rack: ServedRack) -> int:
    machine = rack.bmcs[0].machine
    assert isinstance(machine, InertMachine)
    return len(machine.boots)


@pytest.mark.parametrize("suite", [3, 17])
def test_a_wrong_password_is_refused_and_counted(rack: ServedRack, suite: int) -> None:
    bmc = rack.bmcs[0]
    refused = Ipmitool(bmc, suite, password="guess", wait=QUICK).try_("power", "status")

    assert refused.returncode == 1
    assert "Unable to establish" in refused.stderr
    assert bmc.ledger.failed_logins == 1


def test_a_check_value_that_does_not_fit_is_refused_and_counted(rack: ServedRack) -> None:
    """A console that knows the password, on a network that alters its RAKP message 3."""
    bmc = rack.bmcs[0]

    def spoil_rakp3(packet: bytes) -> list[bytes]:
        is_rakp3 = packet[3:6] == b"\x07\x06\x14"
        return [packet[:-1] + bytes((packet[-1] ^ 1,))] if is_rakp3 else [packet]

    with Relay(f"{NETWORK}.0.3", bmc, spoil_rakp3) as relay:
        refused = Ipmitool(make_bmc(relay.address), wait=QUICK).try_("-v", "power", "status")

    assert "invalid integrity check" in (refused.stdout + refused.stderr).lower()
    assert bmc.ledger.refused_logins >= 1


def test_an_unknown_user_is_refused_by_name(rack: ServedRack) -> None:
    bmc = rack.bmcs[0]
    refused = Ipmitool(bmc, user="nobody", wait=QUICK).try_("-v", "power", "status")

    assert "unauthorized name" in (refused.stdout + refused.stderr).lower()
    assert bmc.ledger.refused_logins >= 1
    assert bmc.ledger.rakp_begun == 0


def test_a_user_may_not_ask_for_more_than_his_limit(rack: ServedRack) -> None:
    bmc = rack.bmcs[0]
    bmc.users.append(BmcUser(3, "guest", PASSWORD, role="ReadOnly"))
    refused = Ipmitool(bmc, user="guest", wait=QUICK).try_("-v", "power", "status")
    allowed = Ipmitool(bmc, user="guest", level="USER")("power", "status")

    assert "unauthorized role" in (refused.stdout + refused.stderr).lower()
    assert "Chassis Power" in allowed


@pytest.mark.parametrize("suite", [0, 1, 2, 4, 8, 15, 16])
def test_other_cipher_suites_are_refused(rack: ServedRack, suite: int) -> None:
    assert Ipmitool(rack.bmcs[0], suite, wait=QUICK).try_("power", "status").returncode == 1


@pytest.mark.parametrize(
    ("algorithms", "status"),
    [
        ((0, 0, 0), 0x04),
        ((2, 1, 1), 0x04),
        ((1, 2, 1), 0x05),
        ((1, 1, 0), 0x10),
        ((1, 1, 2), 0x10),
        ((1, 4, 1), 0x11),
        ((3, 1, 1), 0x11),
    ],
)
def test_open_session_names_what_it_does_not_take(
    rack: ServedRack, algorithms: tuple[int, int, int], status: int
) -> None:
    answer = ask(rack.bmcs[0], open_session_request(99, algorithms))

    assert answer is not None
    assert (status, OPEN_REFUSAL_BYTES) == (answer[STATUS], len(answer))


def test_when_every_place_is_taken_nobody_else_gets_in(rack: ServedRack) -> None:
    bmc = rack.bmcs[0]
    answers = [ask(bmc, open_session_request(number)) for number in range(1, 17)]
    one_more = ask(bmc, open_session_request(17))
    refused = Ipmitool(bmc, wait=QUICK).try_("-v", "power", "status")

    assert [(0, OPEN_ANSWER_BYTES)] * 16 == [(a[STATUS], len(a)) for a in answers if a]
    assert one_more is not None
    assert one_more[STATUS] == 0x01
    assert "insufficient resources" in (refused.stdout + refused.stderr).lower()


def test_sessions_that_are_idle_too_long_give_up_their_places() -> None:
    bmc = make_bmc(f"{NETWORK}.0.2")
    with serve([bmc], sessions_per_bmc=2, session_idle_s=0.3):
        for number in (1, 2):
            ask(bmc, open_session_request(number))
        assert Ipmitool(bmc, wait=QUICK).try_("power", "status").returncode == 1
        time.sleep(0.35)

        assert "Chassis Power" in Ipmitool(bmc)("power", "status")


def test_a_network_that_doubles_packets_does_not_double_a_power_cycle(rack: ServedRack) -> None:
    with Relay(f"{NETWORK}.0.3", rack.bmcs[0], lambda packet: [packet, packet]) as relay:
        doubled = Ipmitool(make_bmc(relay.address))
        doubled("power", "on")
        before = boots_of(rack)
        doubled("power", "cycle")

    assert boots_of(rack) == before + 1
    assert rack.bmcs[0].ledger.failed_logins == 0


def test_a_recorded_power_cycle_replayed_later_is_met_with_silence(rack: ServedRack) -> None:
    bmc = rack.bmcs[0]
    rack.run(bmc.power_on)

    obeyed: list[bytes] = []

    def lose_what_follows(packet: bytes) -> list[bytes]:
        """Close Session is lost, so that the session still stands when the replay comes."""
        if boots_of(rack) == 2:
            return []
        if packet[3:6] == b"\x07\x06\xc0":
            obeyed.append(packet)
        return [packet]

    with Relay(f"{NETWORK}.0.3", bmc, lose_what_follows) as relay:
        Ipmitool(make_bmc(relay.address), wait=QUICK).try_("power", "cycle")
    assert boots_of(rack) == 2
    answers = [ask(bmc, packet, wait_s=0.1) for packet in obeyed]

    assert len(obeyed) >= 2  # Set Session Privilege Level, Chassis Control
    assert [None] * len(obeyed) == answers
    assert boots_of(rack) == 2


def test_a_packet_altered_on_its_way_is_not_obeyed(rack: ServedRack) -> None:
    """One bit in each protected packet: in the header, the sequence, the payload or the code."""
    rng = random.Random(3)  # noqa: S311 - repeatable noise

    def flip_one_bit(packet: bytes) -> list[bytes]:
        if packet[3:6] != b"\x07\x06\xc0":
            return [packet]
        at = rng.randrange(10, len(packet))
        return [packet[:at] + bytes((packet[at] ^ 1 << rng.randrange(8),)) + packet[at + 1 :]]

    with Relay(f"{NETWORK}.0.3", rack.bmcs[0], flip_one_bit) as relay:
        altered = Ipmitool(make_bmc(relay.address), wait=QUICK)
        assert altered.try_("power", "on").returncode == 1

    assert boots_of(rack) == 0


def record_session(rack: ServedRack) -> list[bytes]:
    """Everything that ipmitool sends to list the sensors."""
    with Relay(f"{NETWORK}.0.3", rack.bmcs[0]) as relay:
        Ipmitool(make_bmc(relay.address))("sdr", "list")
    return relay.heard


def test_garbage_is_met_with_silence_and_breaks_nothing(roomy_rack: ServedRack) -> None:
    """Random bytes, random bytes behind good headers, cut and altered packets of a true session.

    `serve` fails the test if anything in the loop raised."""
    rack, bmc = roomy_rack, roomy_rack.bmcs[0]
    rng = random.Random(17)  # noqa: S311 - repeatable noise
    headers = [b"", PING[:9], bytes.fromhex("0600ff07"), bytes.fromhex("0600ff0706")]
    garbage = [
        rng.choice(headers[:1] + headers[2:]) + rng.randbytes(rng.randrange(60)) for _ in range(800)
    ]
    for packet in record_session(rack):
        garbage += [packet[: rng.randrange(len(packet))] for _ in range(20)]
        for _ in range(20):
            altered = bytearray(packet)
            altered[rng.randrange(4, len(altered))] = rng.randrange(256)
            garbage.append(bytes(altered))
    answered = 0
    for start in range(0, len(garbage), 50):
        answered += send_all(bmc, garbage[start : start + 50])

    assert boots_of(rack) == 0
    assert bmc.ledger.rakp_ended == 1  # the true session, and no other
    assert answered < len(garbage) / 10  # session setup that was altered may be refused in words
    assert ask(bmc, PING) is not None
    Ipmitool(bmc)("power", "on")
    assert boots_of(rack) == 1


def send_all(bmc: VirtualBmc, packets: list[bytes]) -> int:
    """How many of these were answered."""
    answered = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as console:
        console.settimeout(0.03)
        for packet in packets:
            console.sendto(packet, (bmc.address, PORT))
        while True:
            try:
                console.recv(2048)
            except TimeoutError:
                return answered
            answered += 1


@pytest.mark.parametrize("length", [0, 1, 4, 11, 13, 15])
def test_a_packet_shorter_than_its_header_is_met_with_silence(
    rack: ServedRack, length: int
) -> None:
    whole = open_session_request(5)

    assert ask(rack.bmcs[0], whole[:length], wait_s=0.1) is None


def test_a_command_outside_of_any_session_is_refused(rack: ServedRack) -> None:
    """Chassis Control in the framing of IPMI 1.5, as a session-less message: 0xD4."""
    power_on = bytes.fromhex("2000e0 81000201 7c")
    packet = bytes.fromhex("0600ff07 00 00000000 00000000") + bytes((len(power_on),)) + power_on
    answer = ask(rack.bmcs[0], packet)

    assert answer is not None
    assert answer[-2] == 0xD4
    assert boots_of(rack) == 0
