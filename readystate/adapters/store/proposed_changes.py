"""The changes of a proposal to JSON values and back."""

from dataclasses import fields
from typing import Any

from readystate.adapters.store.refusals import StoreError
from readystate.domain.deployment import (
    AttachProfiles,
    AttributeScope,
    Bind,
    Change,
    ClearAttribute,
    Confirm,
    Recall,
    Recommit,
    SetAttribute,
    Unbind,
    UseCatalog,
)

_KINDS: dict[str, type[Any]] = {
    "bind": Bind,
    "unbind": Unbind,
    "recall": Recall,
    "recommit": Recommit,
    "set-attribute": SetAttribute,
    "clear-attribute": ClearAttribute,
    "attach-profiles": AttachProfiles,
    "confirm": Confirm,
    "use-catalog": UseCatalog,
}
_WORDS = {kind: word for word, kind in _KINDS.items()}


def change_value(change: Change) -> dict[str, Any]:
    """Secrets in it stay `Secret`: whoever stores the value seals them."""
    return {
        "change": _WORDS[type(change)],
        **{item.name: getattr(change, item.name) for item in fields(change)},
    }


def change_of(value: dict[str, Any]) -> Change:
    """Raises StoreError for a kind that this readystate does not know."""
    given = dict(value)
    word = given.pop("change")
    if word not in _KINDS:
        raise StoreError(f"a proposal holds a change of unknown kind {word!r}")
    if "scope" in given:
        given["scope"] = AttributeScope(given["scope"])
    if "profiles" in given:
        given["profiles"] = tuple(given["profiles"])
    change: Change = _KINDS[word](**given)
    return change
