"""Commands about the BMC's accounts (sections 22.26 to 22.30), over the shared users."""

import hmac

from readystate.lab.bmc.ipmi_app import check_channel
from readystate.lab.bmc.ipmi_device import Call, Command
from readystate.lab.bmc.ipmi_message import (
    NO_ACCESS_LIMIT,
    PRIVILEGE_OF_ROLE,
    ROLE_OF_PRIVILEGE,
    CommandRefused,
    CompletionCode,
    NetFn,
    Privilege,
)
from readystate.lab.bmc.virtual_bmc import BmcUser

LAST_USER_ID = 15
ANONYMOUS_ID = 1  #: user 1 has no name, by section 6.9.1, and is off here for good
NAME_BYTES = 16
PASSWORD_BYTES = (16, 20)  #: section 22.30: bit 7 of the id says which
PASSWORD_WRONG = 0x80  #: of the operation "test password"
MESSAGING_ENABLED = 0x10  #: table 22-31
DISABLE, ENABLE, SET, TEST = range(4)  #: operations of Set User Password


def _check_id(number: int) -> int:
    user_id = number & 0x3F
    if not 1 <= user_id <= LAST_USER_ID:
        raise CommandRefused(CompletionCode.OUT_OF_RANGE)
    return user_id


def _find_user(call: Call, user_id: int) -> BmcUser | None:
    return next((user for user in call.bmc.users if user.id == user_id), None)


def _ensure_user(call: Call, number: int) -> BmcUser:
    """The user with that id; an empty place becomes a nameless user that is switched off."""
    user_id = _check_id(number)
    if user_id == ANONYMOUS_ID:
        raise CommandRefused(CompletionCode.INVALID_FIELD)
    user = _find_user(call, user_id)
    if user is None:
        user = BmcUser(user_id, "", "", role=ROLE_OF_PRIVILEGE[NO_ACCESS_LIMIT], enabled=False)
        call.bmc.users.append(user)
    return user


def set_user_access(call: Call) -> bytes:
    """Section 22.26. The limit is kept; session limits and link flags are not modelled."""
    check_channel(call.data[0])
    limit = call.data[2] & 0x0F
    if limit not in ROLE_OF_PRIVILEGE:
        raise CommandRefused(CompletionCode.INVALID_FIELD)
    _ensure_user(call, call.data[1]).role = ROLE_OF_PRIVILEGE[limit]
    return b""


def get_user_access(call: Call) -> bytes:
    """Section 22.27."""
    check_channel(call.data[0])
    user = _find_user(call, _check_id(call.data[1]))
    enabled = sum(other.enabled for other in call.bmc.users)
    status, access = 0x80, NO_ACCESS_LIMIT
    if user is not None:
        status = 0x40 if user.enabled else 0x80
        access = PRIVILEGE_OF_ROLE.get(user.role, NO_ACCESS_LIMIT)
        access |= MESSAGING_ENABLED if access != NO_ACCESS_LIMIT else 0
    return bytes((LAST_USER_ID, status | enabled, ANONYMOUS_ID, access))


def set_user_name(call: Call) -> bytes:
    """Section 22.28; two users of one name are refused, else a login would be ambiguous."""
    name = call.data[1 : 1 + NAME_BYTES].split(b"\x00")[0].decode("utf-8", "replace")
    user = _ensure_user(call, call.data[0])
    if name and any(other.name == name for other in call.bmc.users if other is not user):
        raise CommandRefused(CompletionCode.INVALID_FIELD)
    user.name = name
    return b""


def get_user_name(call: Call) -> bytes:
    user = _find_user(call, _check_id(call.data[0]))
    name = "" if user is None else user.name
    return name.encode()[:NAME_BYTES].ljust(NAME_BYTES, b"\x00")


def set_user_password(call: Call) -> bytes:
    """Section 22.30."""
    user, operation = _ensure_user(call, call.data[0]), call.data[1] & 0x03
    if operation in (DISABLE, ENABLE):
        user.enabled = operation == ENABLE
        return b""
    size = PASSWORD_BYTES[call.data[0] >> 7]
    if len(call.data) != 2 + size:
        raise CommandRefused(CompletionCode.LENGTH_INVALID)
    password = call.data[2:].rstrip(b"\x00")
    if operation == SET:
        user.password = password.decode("utf-8", "replace")
    elif not hmac.compare_digest(call.bmc.effective_password(user).encode()[:size], password):
        raise CommandRefused(PASSWORD_WRONG)
    return b""


COMMANDS: dict[tuple[NetFn, int], Command] = {
    (NetFn.APP, 0x43): Command(set_user_access, Privilege.ADMINISTRATOR, 3),
    (NetFn.APP, 0x44): Command(get_user_access, Privilege.OPERATOR, 2),
    (NetFn.APP, 0x45): Command(set_user_name, Privilege.ADMINISTRATOR, 2),
    (NetFn.APP, 0x46): Command(get_user_name, Privilege.OPERATOR, 1),
    (NetFn.APP, 0x47): Command(set_user_password, Privilege.ADMINISTRATOR, 2),
}
