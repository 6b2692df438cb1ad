"""What rests on a secret: the digest moves with its keyed hash, and never shows it."""

import pytest

from readystate.domain.digest import _mark_of
from readystate.domain.secret import Secret


def test_digest_takes_the_mark_of_a_secret_and_not_its_value() -> None:
    assert {"$secret": "m1"} == _mark_of(Secret("hush", "m1"))


@pytest.mark.parametrize("value", [Secret("hush"), object()])
def test_secret_that_no_store_has_marked_cannot_be_digested(value: object) -> None:
    with pytest.raises(TypeError) as told:
        _mark_of(value)

    assert "hush" not in str(told.value)


def test_secrets_are_equal_by_their_value() -> None:
    assert Secret("a", "m1") == Secret("a", "m2")
    assert Secret("a", "m1") != Secret("b", "m1")
    assert "m1" not in repr(Secret("a", "m1"))
