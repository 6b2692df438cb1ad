"""IPMI messages inside their payload: framing, checksums, completion codes, privilege levels.

Section numbers here and in its siblings are those of the Intelligent Platform Management Interface
Specification, second generation, v2.0, revision 1.1."""

from enum import IntEnum, StrEnum

BMC_ADDRESS = 0x20  #: slave address of every BMC, table 5-4
SHORTEST_REQUEST_BYTES = 7  #: two addresses, net function, sequence, command, two checksums


class CompletionCode(IntEnum):
    """Table 5-2; command-specific codes (0x80 and up) are named where they are used."""

    OK = 0x00
    NODE_BUSY = 0xC0
    INVALID_COMMAND = 0xC1
    RESERVATION_CANCELLED = 0xC5
    LENGTH_INVALID = 0xC7
    OUT_OF_RANGE = 0xC9
    NOT_PRESENT = 0xCB
    INVALID_FIELD = 0xCC
    INSUFFICIENT_PRIVILEGE = 0xD4
    NOT_IN_PRESENT_STATE = 0xD5


class Privilege(IntEnum):
    """Table 6-1. NONE marks commands that are answered outside of any session."""

    NONE = 0
    CALLBACK = 1
    USER = 2
    OPERATOR = 3
    ADMINISTRATOR = 4


class NetFn(IntEnum):
    """Request net functions, table 5-1."""

    CHASSIS = 0x00
    SENSOR = 0x04
    APP = 0x06
    STORAGE = 0x0A
    TRANSPORT = 0x0C
    GROUP = 0x2C


class CommandRefused(Exception):
    """A command is answered with this completion code and no data."""

    def __init__(self, code: int) -> None:
        super().__init__(f"completion code 0x{code:02x}")
        self.code = code


class RedfishRole(StrEnum):
    """The role names that accounts carry; Redfish names them, IPMI maps them to privileges."""

    ADMINISTRATOR = "Administrator"
    OPERATOR = "Operator"
    READ_ONLY = "ReadOnly"
    NO_ACCESS = "NoAccess"


NO_ACCESS_LIMIT = 0x0F  #: the privilege limit of a user who may not log in, section 22.26

PRIVILEGE_OF_ROLE: dict[str, int] = {
    RedfishRole.ADMINISTRATOR: Privilege.ADMINISTRATOR,
    RedfishRole.OPERATOR: Privilege.OPERATOR,
    RedfishRole.READ_ONLY: Privilege.USER,
    RedfishRole.NO_ACCESS: NO_ACCESS_LIMIT,
}
ROLE_OF_PRIVILEGE: dict[int, str] = {
    Privilege.CALLBACK: RedfishRole.READ_ONLY,
    Privilege.USER: RedfishRole.READ_ONLY,
    Privilege.OPERATOR: RedfishRole.OPERATOR,
    Privilege.ADMINISTRATOR: RedfishRole.ADMINISTRATOR,
    NO_ACCESS_LIMIT: RedfishRole.NO_ACCESS,
}


def is_request(message: bytes) -> bool:
    """Whether these bytes are a well-formed request to the BMC itself (section 13.8)."""
    return (
        len(message) >= SHORTEST_REQUEST_BYTES
        and message[0] == BMC_ADDRESS
        and not message[1] & 0x04  # odd net functions are responses
        and sum(message[:3]) & 0xFF == 0
        and sum(message[3:]) & 0xFF == 0
    )


def render_response(request: bytes, body: bytes) -> bytes:
    """Frame `body` (completion code and data) as the answer to `request`."""
    head = bytes((request[3], (request[1] & 0xFC | 0x04) | request[4] & 0x03))
    tail = bytes((BMC_ADDRESS, request[4] & 0xFC | request[1] & 0x03, request[5])) + body
    return b"%b%c%b%c" % (head, -sum(head) & 0xFF, tail, -sum(tail) & 0xFF)
