"""What all requests and answers of the API have in common."""

from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from readystate.domain.secret import Secret

ItemT = TypeVar("ItemT")

LARGEST_ID = 2**63 - 1  #: both databases count so far
Id = Annotated[int, Field(ge=1, le=LARGEST_ID)]
#: 0 and "no" are no booleans.
Truth = Annotated[bool, Field(strict=True)]


class Shape(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True, extra="forbid", frozen=True)


class Page(Shape, Generic[ItemT]):
    """A part of a list, in a stable order."""

    items: list[ItemT]
    next: int | None = None
    """Give it as `after` to go on; null at the end."""


def concealed(value: Any) -> Any:
    """JSON in which `***` stands for every secret."""
    if isinstance(value, Secret):
        return str(value)
    if isinstance(value, dict):
        return {key: concealed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [concealed(item) for item in value]
    return value
