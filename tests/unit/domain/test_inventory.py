"""Texts of one machine's UUID."""

import pytest

from readystate.domain.inventory import same_uuid

RFC = "00112233-4455-6677-8899-aabbccddeeff"


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (RFC, RFC, True),
        (RFC, RFC.upper(), True),
        (RFC, RFC.replace("-", ""), True),
        (RFC, "33221100-5544-7766-8899-aabbccddeeff", True),
        ("33221100-5544-7766-8899-aabbccddeeff", RFC, True),
        (RFC, "33221100-5544-7766-9988-aabbccddeeff", False),
        (RFC, "33221100-4455-6677-8899-aabbccddeeff", False),
        (RFC, "00112233-4455-6677-8899-aabbccddeefe", False),
        (RFC, "", False),
        ("Not a UUID ", "not a uuid", True),
        ("not a uuid", "another", False),
    ],
)
def test_byte_order_and_case_do_not_matter(one: str, other: str, is_same: bool) -> None:
    assert is_same is same_uuid(one, other)
