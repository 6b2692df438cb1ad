"""API tokens: what opens, what does not, what is kept."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from readystate.domain.events import Event
from readystate.domain.secret import Secret
from readystate.engine.access import Caller, Unauthenticated, authenticate, has_tokens, issue_token
from readystate.ports.store import Transaction

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Documents:
    """As much of a store as tokens need."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.told: list[Event] = []

    def put_document(self, kind: str, key: str, value: dict[str, Any]) -> None:
        assert "api-token" == kind
        self.kept[key] = value

    def document(self, _kind: str, key: str) -> dict[str, Any] | None:
        return self.kept.get(key)

    def documents(self, _kind: str) -> dict[str, dict[str, Any]]:
        return self.kept

    def append(self, event: Event) -> int:
        self.told.append(event)
        return len(self.told)


@pytest.fixture
def kept() -> Documents:
    return Documents()


@pytest.fixture
def tx(kept: Documents) -> Transaction:
    return cast(Transaction, kept)


def test_token_opens_for_its_owner(tx: Transaction) -> None:
    token = issue_token(tx, "ada", NOW)
    issue_token(tx, "bob", NOW)

    assert Caller("ada") == authenticate(tx, token)
    assert has_tokens(tx)


def test_token_is_kept_as_a_hash_only(tx: Transaction, kept: Documents) -> None:
    secret = issue_token(tx, "ada", NOW).reveal()

    assert secret not in repr(kept.kept) + repr(kept.told)
    assert secret.split("_", 2)[2] not in repr(kept.kept) + repr(kept.told)


def test_two_tokens_are_never_alike(tx: Transaction) -> None:
    assert 50 == len({issue_token(tx, "ada", NOW).reveal() for _ in range(50)})


@pytest.mark.parametrize(
    "wrong", ["", "rds_", "rds_00000000_" + "a" * 43, "Bearer x", "\u00e9" * 55]
)
def test_unknown_token_opens_nothing(tx: Transaction, wrong: str) -> None:
    issue_token(tx, "ada", NOW)

    with pytest.raises(Unauthenticated):
        authenticate(tx, Secret(wrong))


def test_token_with_the_prefix_of_another_opens_nothing(tx: Transaction) -> None:
    ada = issue_token(tx, "ada", NOW).reveal()
    bob = issue_token(tx, "bob", NOW).reveal()

    with pytest.raises(Unauthenticated):
        authenticate(tx, Secret(ada[:13] + bob[13:]))


def test_refusal_does_not_tell_wrong_from_unknown(tx: Transaction) -> None:
    known = issue_token(tx, "ada", NOW).reveal()
    told = []
    for wrong in (known[:-1] + "~", known[:13] + "a" * 43, "rds_ffffffff_" + "a" * 43):
        with pytest.raises(Unauthenticated) as refused:
            authenticate(tx, Secret(wrong))
        told.append(str(refused.value))

    assert 1 == len(set(told))
