"""RMCP+ sessions: wrapping, the replay window, and who keeps a place in the table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readystate.lab.bmc.ipmi_session import (
    SUITE_3,
    SUITE_17,
    CipherSuite,
    Session,
    SessionTable,
)

KEY = bytes(range(20))
CONSOLE_ID, BMC_ID = b"\x01\x00\x00\x00", b"\x02\x00\x00\x00"


def pair(suite: CipherSuite = SUITE_3) -> tuple[Session, Session]:
    """A console's end and a BMC's end of one session: packets have one shape in both directions."""
    ends = Session(BMC_ID, BMC_ID, suite, limit=4), Session(BMC_ID, CONSOLE_ID, suite, limit=4)
    for end in ends:
        end.activate(KEY)
    return ends


@pytest.mark.parametrize("suite", [SUITE_3, SUITE_17], ids=["suite3", "suite17"])
def test_messages_of_every_length_arrive_as_they_were(suite: CipherSuite) -> None:
    console, bmc = pair(suite)
    messages = [bytes(range(length)) for length in range(1, 70)]

    assert messages == [bmc.unwrap(console.wrap(message)) for message in messages]


def test_equal_messages_look_different_on_the_wire() -> None:
    console, _ = pair()

    assert len({console.wrap(b"same")[16:48] for _ in range(50)}) == 50


def test_a_lost_packet_does_not_spoil_the_next_one() -> None:
    console, bmc = pair()
    console.wrap(b"lost")

    assert bmc.unwrap(console.wrap(b"kept")) == b"kept"


def test_packets_may_overtake_one_another_but_none_counts_twice() -> None:
    console, bmc = pair()
    packets = [console.wrap(bytes((number,))) for number in range(10)]
    order = [3, 1, 9, 0, 2, 9, 3, 4, 0]
    heard = [bmc.unwrap(packets[number]) for number in order]

    assert [b"\3", b"\1", b"\t", b"\0", b"\2", None, None, b"\4", None] == heard


def test_packets_far_behind_or_far_ahead_are_dropped() -> None:
    console, bmc = pair()
    first = console.wrap(b"first")
    packets = [console.wrap(b"later") for _ in range(40)]

    assert bmc.unwrap(packets[30]) is None  # 32 ahead of nothing heard
    assert [b"later"] * 20 == [bmc.unwrap(packet) for packet in packets[:20]]
    assert bmc.unwrap(first) is None  # 20 behind


def test_a_session_before_its_activation_hears_nothing() -> None:
    console, _ = pair()
    half_open = Session(BMC_ID, CONSOLE_ID, SUITE_3, limit=4)

    assert half_open.unwrap(console.wrap(b"early")) is None


@given(st.binary(min_size=16, max_size=120))
def test_bytes_that_nobody_signed_are_never_heard(noise: bytes) -> None:
    _, bmc = pair()

    assert bmc.unwrap(noise) is None
    assert bmc.unwrap(noise[:5] + b"\xc0" + noise[6:]) is None


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_an_idle_session_ends_and_a_used_one_stays() -> None:
    clock = Clock()
    table = SessionTable(capacity=4, idle_s=60, clock=clock)
    used, idle = (table.open(bytes(4), SUITE_3, limit=4) for _ in range(2))
    assert used is not None
    assert idle is not None
    for session in (used, idle):
        session.activate(KEY)
    clock.now_s = 50
    assert table.find(used.id) is used
    clock.now_s = 61

    assert table.find(idle.id) is None
    assert table.find(used.id) is used
    assert len(table) == 1


def test_a_full_table_gives_the_places_of_those_who_never_finished() -> None:
    clock = Clock()
    table = SessionTable(capacity=2, idle_s=60, clock=clock)
    finished = table.open(bytes(4), SUITE_3, limit=4)
    assert finished is not None
    finished.activate(KEY)
    assert table.open(bytes(4), SUITE_3, limit=4) is not None
    assert table.open(bytes(4), SUITE_3, limit=4) is None
    clock.now_s = 21

    assert table.open(bytes(4), SUITE_3, limit=4) is not None
    assert table.find(finished.id) is finished
