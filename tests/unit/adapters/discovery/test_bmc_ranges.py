"""What may be scanned."""

import pytest

from readystate.adapters.discovery.bmc_scan import parse_ranges
from readystate.domain.errors import BadRequest


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("127.0.1.7", ["127.0.1.7"]),
        (" 127.0.1.9 - 127.0.1.11 ", ["127.0.1.9", "127.0.1.10", "127.0.1.11"]),
        ("127.0.1.8/30", ["127.0.1.9", "127.0.1.10"]),
        ("127.0.1.8/32", ["127.0.1.8"]),
        ("fd00::a-fd00::b", ["fd00::a", "fd00::b"]),
    ],
)
def test_ranges_networks_and_addresses_are_read(text: str, addresses: list[str]) -> None:
    assert addresses == parse_ranges([text])


def test_an_address_in_two_ranges_is_scanned_once() -> None:
    assert ["127.0.1.7", "127.0.1.8"] == parse_ranges(["127.0.1.7-127.0.1.8", "127.0.1.8"])


@pytest.mark.parametrize(
    "text",
    ["", "bmc-7", "127.0.1.300", "127.0.1.9-127.0.1.7", "127.0.1.0/33", "1-2-3", "::1-127.0.0.1"],
)
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="is not an address range"):
        parse_ranges([text])


@pytest.mark.parametrize(
    "texts",
    [["10.0.0.0/8"], ["fd00::/64"], ["10.0.0.0/16", "10.1.0.1"], ["0.0.0.0-255.255.255.255"]],
)
def test_silly_sizes_are_refused_before_anything_is_built(texts: list[str]) -> None:
    with pytest.raises(BadRequest, match="too large to scan"):
        parse_ranges(texts)


def test_the_largest_scan_is_allowed() -> None:
    assert 65534 == len(parse_ranges(["10.0.0.0/16"]))
