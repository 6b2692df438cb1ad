"""A kept connection is looked at before it is used, however many there are."""

import fcntl
import socket

from readystate.adapters.hammers.redfish.client import is_readable

FIRST_BEYOND_SELECT = 1024


def test_a_quiet_connection_is_told_from_one_that_was_ended() -> None:
    ours, theirs = socket.socketpair()
    with ours:
        assert not is_readable(ours)
        theirs.close()
        assert is_readable(ours)


def test_a_descriptor_beyond_those_of_select_can_be_looked_at() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        number = fcntl.fcntl(ours, fcntl.F_DUPFD_CLOEXEC, FIRST_BEYOND_SELECT)
        with socket.socket(fileno=number) as high:
            assert not is_readable(high)
            theirs.send(b"x")
            assert is_readable(high)
