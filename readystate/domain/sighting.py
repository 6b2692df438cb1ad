"""Unaccepted reports of machines. Enrolling one makes it a node."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class BmcSighting:
    """A BMC that answered a scan, without any login: one an address, whatever it speaks."""

    address: str
    protocols: tuple[str, ...]  #: redfish | ipmi, the preferred one first
    redfish_uuid: str | None  #: of the service, not of the machine; lower case
    vendor: str  #: as the service spells it; "" = it does not say
    product: str
    seen_at: datetime  #: aware UTC
