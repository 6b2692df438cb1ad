"""The FRU image: sound in every area, whatever the hardware is called."""

from dataclasses import replace

import pytest

from readystate.lab.bmc.fru import render_fru
from readystate.lab.hardware import Hardware

HARDWARE = Hardware(
    personality="dell",
    manufacturer="Dell Inc.",
    model="R640",
    serial="ABC1234",
    uuid="4c4c4544-0035-5910-8043-b9c04f4e3232",
    bios_version="2.19.1",
    bmc_version="6.10.30.00",
    cpu_model="Xeon",
    cpu_sockets=2,
    cpu_cores=8,
    memory_bytes=2**36,
    nics=(),
    drives=(),
)


@pytest.mark.parametrize("serial", ["", "X", "ABC1234", "S" * 63, "S" * 90])
def test_header_and_areas_have_sound_checksums_and_lengths(serial: str) -> None:
    image = render_fru(replace(HARDWARE, serial=serial), "tag")
    starts = [8 * offset for offset in image[2:5]]
    areas = [image[at : at + 8 * image[at + 1]] for at in starts]

    assert sum(image[:8]) % 256 == 0
    assert [0, 0, 0] == [sum(area) % 256 for area in areas]
    assert image[8:] == b"".join(areas)


def test_a_field_of_one_letter_does_not_end_the_area() -> None:
    """0xC1 would be both "one letter" and "no more fields" (section 13 of the definition)."""
    chassis = render_fru(replace(HARDWARE, serial="X"), "tag")[8:]

    assert b"\xc2X \xc1" in chassis
