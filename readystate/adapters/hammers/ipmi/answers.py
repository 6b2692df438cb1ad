"""What an IPMI completion code or a pyghmi failure means: the one table per library.

Sources: IPMI 2.0 specification, table 5-2 (generic completion codes); pyghmi/exceptions.py."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager

from pyghmi.exceptions import IpmiException, PyghmiException, UnsupportedFunctionality

from readystate.domain.errors import (
    Busy,
    Failed,
    Invalid,
    Refused,
    Unreachable,
    Unsupported,
    WorkError,
)

_CODES: dict[int, tuple[type[WorkError], str]] = {
    0x80: (Unsupported, "the BMC lacks that parameter"),
    0xC0: (Busy, "the BMC is busy"),
    0xC1: (Unsupported, "the BMC does not know the command"),
    0xC2: (Unsupported, "the BMC does not know the command for that unit"),
    0xC3: (Busy, "the BMC ran out of time"),
    0xC4: (Busy, "the BMC is out of space"),
    0xC5: (Busy, "the reservation was lost"),
    0xC7: (Invalid, "the BMC expects another length"),
    0xC8: (Invalid, "the BMC expects a shorter request"),
    0xC9: (Invalid, "a parameter is out of range"),
    0xCB: (Unsupported, "the BMC has no such record or sensor"),
    0xCC: (Invalid, "the BMC calls a field invalid"),
    0xCD: (Unsupported, "not possible for that record or sensor"),
    0xCE: (Busy, "the BMC could not give its answer"),
    0xCF: (Busy, "the BMC took the request for a duplicate"),
    0xD0: (Busy, "the sensor repository is being updated"),
    0xD1: (Busy, "the BMC's firmware is being updated"),
    0xD2: (Busy, "the BMC is starting"),
    0xD3: (Unreachable, "the BMC cannot reach the part behind it"),
    0xD4: (Refused, "the BMC user lacks the privilege"),
    0xD5: (Failed, "not possible in the machine's present state"),
    0xD6: (Unsupported, "the function is disabled"),
}


def completion_error(address: str, doing: str, code: int) -> WorkError:
    family, why = _CODES.get(code, (Failed, "the BMC gave no reason"))
    return family(f"{address}: cannot {doing}", why=f"{why} (IPMI code 0x{code:02x})")


@contextmanager
def decoding(address: str, doing: str) -> Iterator[None]:
    """Translate what pyghmi raises while it decodes. Its parsers index into what the BMC sent, so
    damaged data surfaces as any of the lookup errors."""
    try:
        yield
    except IpmiException as error:
        if error.ipmicode:
            raise completion_error(address, doing, error.ipmicode) from error
        raise Failed(f"{address}: cannot {doing}", why=str(error)) from error
    except (UnsupportedFunctionality, NotImplementedError) as error:
        raise Unsupported(f"{address}: cannot {doing}", why=str(error)) from error
    except (PyghmiException, LookupError, ValueError, TypeError, struct.error) as error:
        raise Failed(
            f"{address}: cannot {doing}",
            why=f"the BMC's answer does not parse: {type(error).__name__}: {error}",
        ) from error
