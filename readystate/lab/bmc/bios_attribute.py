"""One attribute of a BIOS as its registry describes it, and what the registry allows.

Source: DMTF DSP8010, schema AttributeRegistry."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from readystate.lab.bmc.redfish_messages import Refusal

BiosValue = str | int | bool


class AttributeType(StrEnum):
    ENUMERATION = "Enumeration"
    INTEGER = "Integer"
    STRING = "String"
    BOOLEAN = "Boolean"


@dataclass(frozen=True)
class BiosAttribute:
    name: str
    default: BiosValue
    type: AttributeType = AttributeType.ENUMERATION
    values: tuple[str, ...] = ()  #: of an enumeration
    lower: int = 0  #: of an integer
    upper: int = 2**31 - 1
    max_length: int = 255  #: of a string
    is_read_only: bool = False

    def entry(self, order: int) -> dict[str, Any]:
        """The attribute's entry in the registry."""
        entry: dict[str, Any] = {
            "AttributeName": self.name,
            "DisplayName": self.name,
            "DisplayOrder": order,
            "HelpText": "",
            "MenuPath": "./",
            "ReadOnly": self.is_read_only,
            "Hidden": False,
            "Immutable": self.is_read_only,
            "ResetRequired": True,
            "WriteOnly": False,
            "DefaultValue": self.default,
            "Type": self.type.value,
        }
        if self.type is AttributeType.ENUMERATION:
            entry["Value"] = [
                {"ValueName": value, "ValueDisplayName": value} for value in self.values
            ]
        elif self.type is AttributeType.INTEGER:
            entry |= {"LowerBound": self.lower, "UpperBound": self.upper, "ScalarIncrement": 1}
        elif self.type is AttributeType.STRING:
            entry |= {"MinLength": 0, "MaxLength": self.max_length}
        return entry

    def check(self, value: object) -> None:
        """Raise a Refusal unless `value` may be written to this attribute."""
        related = f"#/Attributes/{self.name}"
        if self.is_read_only:
            raise Refusal(400, "PropertyNotWritable", (self.name,), related)
        if not self._has_right_type(value):
            raise Refusal(400, "PropertyValueTypeError", (str(value), self.name), related)
        if self.type is AttributeType.ENUMERATION and value not in self.values:
            raise Refusal(400, "PropertyValueNotInList", (str(value), self.name), related)
        if isinstance(value, int) and not self.lower <= value <= self.upper:
            raise Refusal(400, "PropertyValueOutOfRange", (str(value), self.name), related)
        if isinstance(value, str) and len(value) > self.max_length:
            raise Refusal(400, "PropertyValueFormatError", (value, self.name), related)

    def _has_right_type(self, value: object) -> bool:
        if self.type is AttributeType.BOOLEAN:
            return isinstance(value, bool)
        if self.type is AttributeType.INTEGER:
            return isinstance(value, int) and not isinstance(value, bool)
        return isinstance(value, str)


def enumeration(name: str, *values: str) -> BiosAttribute:
    """An enumeration whose first value is the default."""
    return BiosAttribute(name, values[0], values=values)


def integer(name: str, default: int, lower: int, upper: int) -> BiosAttribute:
    return BiosAttribute(name, default, AttributeType.INTEGER, lower=lower, upper=upper)


def string(name: str, max_length: int) -> BiosAttribute:
    return BiosAttribute(name, "", AttributeType.STRING, max_length=max_length)


def read_only(name: str) -> BiosAttribute:
    """A string that only the firmware sets, such as the model's name."""
    return BiosAttribute(name, "", AttributeType.STRING, is_read_only=True)


def infer(name: str, value: BiosValue) -> BiosAttribute:
    """Describe an attribute that a machine has beyond its personality's list."""
    if isinstance(value, bool):
        return BiosAttribute(name, value, AttributeType.BOOLEAN)
    if isinstance(value, int):
        return BiosAttribute(name, value, AttributeType.INTEGER)
    return BiosAttribute(name, value, AttributeType.STRING)
