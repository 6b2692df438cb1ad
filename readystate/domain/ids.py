"""Names and numbers of things: parsed once at the edge, trusted after."""

import re
from typing import NewType

from readystate.domain.errors import BadRequest

NodeId = NewType("NodeId", int)
NodeRoleId = NewType("NodeRoleId", int)
DeploymentId = NewType("DeploymentId", int)
RunId = NewType("RunId", int)
RoleName = NewType("RoleName", str)

_MAC_DIGITS = re.compile(r"[0-9a-f]{12}")
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")


def parse_mac(text: str) -> str:
    """Canonical MAC address: lower case, colons. Accepts dashes, dots and bare digits."""
    digits = re.sub(r"[:.\-]", "", text.strip().lower())
    if not _MAC_DIGITS.fullmatch(digits):
        raise BadRequest(f"{text!r} is not a MAC address", why="twelve hexadecimal digits expected")
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def parse_node_name(text: str) -> str:
    """A DNS-compatible node name, lower case (RFC 1123)."""
    name = text.strip().lower()
    if not _NAME.fullmatch(name):
        raise BadRequest(
            f"{text!r} is not a node name",
            why="letters, digits, dashes and dots; at most 253 characters",
        )
    return name
