"""The FRU inventory image of a machine: IPMI Platform Management FRU Information Storage
Definition v1.0, rev. 1.3 ("the definition" below)."""

from readystate.lab.hardware import Hardware

FORMAT_VERSION = 0x01
RACK_MOUNT_CHASSIS = 0x17  #: SMBIOS chassis type, table 11-1 of the definition
ENGLISH = 0x19
LATIN_1 = 0xC0  #: type of a field: 8-bit text
END_OF_FIELDS = 0xC1
LONGEST_FIELD_BYTES = 63


def render_fru(hardware: Hardware, asset_tag: str) -> bytes:
    """Chassis, board and product areas, in the order in which the common header lists them."""
    chassis = _render_area(bytes((RACK_MOUNT_CHASSIS,)), hardware.model, hardware.serial)
    manufactured = bytes(3)  # minutes since 1996; 0 means "not specified"
    board = _render_area(
        bytes((ENGLISH,)) + manufactured,
        *(hardware.manufacturer, f"{hardware.model} board", hardware.serial, hardware.model, ""),
    )
    product = _render_area(
        bytes((ENGLISH,)),
        *(hardware.manufacturer, hardware.model, hardware.model, hardware.bios_version),
        *(hardware.serial, asset_tag, ""),
    )
    starts, end = [], 1  # in units of eight bytes; the header takes the first
    for area in (chassis, board, product):
        starts.append(end)
        end += len(area) // 8
    header = bytes((FORMAT_VERSION, 0, *starts, 0, 0))
    return header + bytes((-sum(header) & 0xFF,)) + chassis + board + product


def _render_area(fixed: bytes, *fields: str) -> bytes:
    """Version, length, the fixed bytes, the fields, padding and a checksum (sections 10 to 12)."""
    body = fixed + b"".join(_render_field(field) for field in fields) + bytes((END_OF_FIELDS,))
    size = -(-(2 + len(body) + 1) // 8)
    area = (bytes((FORMAT_VERSION, size)) + body).ljust(size * 8 - 1, b"\x00")
    return area + bytes((-sum(area) & 0xFF,))


def _render_field(text: str) -> bytes:
    """Section 13. One letter alone would read as the end of the fields, so it gets a space."""
    raw = text.encode("latin-1", "replace")[:LONGEST_FIELD_BYTES]
    if len(raw) == 1:
        raw += b" "
    return bytes((LATIN_1 | len(raw),)) + raw if raw else b"\x00"
