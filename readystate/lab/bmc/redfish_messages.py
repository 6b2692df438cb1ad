"""What a virtual BMC says: the messages of DMTF's Base registry, the vendors' own beside them, and
the refusal that carries them to the edge, where it becomes an HTTP answer.

Handlers name a message by its key; the personality knows how its vendor spells it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Body = dict[str, Any]


@dataclass(frozen=True)
class Message:
    text: str  #: with %1, %2 for the arguments
    severity: str = "Warning"
    resolution: str = "Correct the request and resubmit it."
    id: str = ""  #: the full MessageId where the vendor has one of its own

    @property
    def argument_count(self) -> int:
        return sum(f"%{number}" in self.text for number in range(1, 6))


#: Source: DMTF DSP8011, Base message registry.
BASE: Mapping[str, Message] = {
    "Success": Message("The request completed successfully.", "OK", "None"),
    "Created": Message("The resource was created successfully.", "OK", "None"),
    "GeneralError": Message(
        "A general error has occurred. See ExtendedInfo for more information.",
        "Critical",
        "See ExtendedInfo for more information.",
    ),
    "InternalError": Message("The request failed due to an internal service error.", "Critical"),
    "MalformedJSON": Message("The request body submitted was malformed JSON.", "Critical"),
    "PropertyUnknown": Message("The property %1 is not in the list of valid properties."),
    "PropertyNotWritable": Message("The property %1 is a read-only property."),
    "PropertyMissing": Message("The property %1 is a required property and must be included."),
    "PropertyValueNotInList": Message(
        "The value %1 for the property %2 is not in the list of acceptable values."
    ),
    "PropertyValueTypeError": Message(
        "The value %1 for the property %2 is of a different type than the property can accept."
    ),
    "PropertyValueOutOfRange": Message(
        "The value %1 for the property %2 is not in the supported range of acceptable values."
    ),
    "PropertyValueFormatError": Message(
        "The value %1 for the property %2 is of a different format than the property can accept."
    ),
    "PropertyValueConflict": Message(
        "The property %1 could not be written because its value conflicts with that of %2."
    ),
    "ActionParameterMissing": Message(
        "The action %1 requires the parameter %2 to be present in the request body.", "Critical"
    ),
    "ActionParameterValueNotInList": Message(
        "The value %1 for the parameter %2 in the action %3 is not acceptable."
    ),
    "ActionNotSupported": Message("The action %1 is not supported by the resource.", "Critical"),
    "ActionParameterNotSupported": Message(
        "The parameter %1 for the action %2 is not supported on the target resource."
    ),
    "ResourceInUse": Message(
        "The change failed because the resource is in use or in transition.",
        resolution="Remove the condition and resubmit the request.",
    ),
    "ResourceAlreadyExists": Message(
        "The resource of type %1 with the property %2 with the value %3 already exists.", "Critical"
    ),
    "ResourceMissingAtURI": Message("The resource at the URI %1 was not found.", "Critical"),
    "OperationNotAllowed": Message(
        "The HTTP method is not allowed on this resource.", "Critical", "None"
    ),
    "UnsupportedMediaType": Message("The content type of the request must be application/json."),
    "QueryNotSupported": Message("Querying is not supported by the implementation."),
    "QueryParameterValueFormatError": Message(
        "The value %1 for the query parameter %2 is of a different format than it can accept."
    ),
    "PreconditionFailed": Message("The ETag supplied did not match the resource.", "Critical"),
    "PreconditionRequired": Message(
        "A precondition header or annotation is required to change this resource.", "Critical"
    ),
    "CreateLimitReachedForResource": Message(
        "The create operation failed because the limit of the resource was reached.", "Critical"
    ),
    "SessionLimitExceeded": Message(
        "The session establishment failed due to the number of simultaneous sessions exceeding "
        "the limit of the implementation.",
        "Critical",
        "Reduce the number of other sessions before trying to establish the session.",
    ),
    "NoValidSession": Message(
        "There is no valid session established with the implementation.",
        "Critical",
        "Establish a session before attempting any operations.",
    ),
    "InsufficientPrivilege": Message(
        "There are insufficient privileges for the account or credentials.", "Critical"
    ),
    "ServiceTemporarilyUnavailable": Message(
        "The service is temporarily unavailable. Retry in %1 seconds.", "Critical"
    ),
}


@dataclass
class Refusal(Exception):
    """A request that is not carried out: the status and the message keys with their arguments."""

    status: int
    key: str
    arguments: tuple[str, ...] = ()
    related: str = ""  #: the JSON path of the property that is to blame, `#/Attributes/NumLock`
    headers: dict[str, str] = field(default_factory=dict)


def not_found(path: str = "") -> Refusal:
    return Refusal(404, "ResourceMissingAtURI", (path,))


@dataclass(frozen=True)
class Spelling:
    """How a vendor writes its messages down."""

    base: str  #: `Base.1.12`: the registry and version before each key of the table above
    error_code: str  #: the `code` of every error body
    own: Mapping[str, Message]  #: the vendor's own message for a key
    is_terse: bool = False  #: ids and arguments only, as iLO answers

    def message(self, key: str, arguments: tuple[str, ...] = (), related: str = "") -> Body:
        message = self.own.get(key) or BASE[key]
        body: Body = {
            "MessageId": message.id or f"{self.base}.{key}",
            "MessageArgs": list(arguments),
        }
        if not self.is_terse:
            text = message.text
            for number, argument in enumerate(arguments, 1):
                text = text.replace(f"%{number}", argument)
            body["Message"] = text
            body["MessageArgs@odata.count"] = len(arguments)
            body["Severity"] = message.severity
            body["Resolution"] = message.resolution
        if related:
            body["RelatedProperties"] = [related]
        return body

    def success(self, key: str = "Success") -> Body:
        """The body of an accepted request that has nothing else to show."""
        return {"@Message.ExtendedInfo": [self.message(key)]}

    def error(self, refusal: Refusal) -> Body:
        text = "See @Message.ExtendedInfo for more information."
        if not self.is_terse:
            text = BASE["GeneralError"].text
        return {
            "error": {
                "code": self.error_code,
                "message": text,
                "@Message.ExtendedInfo": [
                    self.message(refusal.key, refusal.arguments, refusal.related)
                ],
            }
        }

    def registry(self) -> Body:
        """The Base message registry, cut to what is used."""
        version = self.base.removeprefix("Base.")
        return {
            "@odata.type": "#MessageRegistry.v1_0_0.MessageRegistry",
            "Id": f"{self.base}.0",
            "Name": "Base Message Registry",
            "Language": "en",
            "Description": "This registry defines the base messages for Redfish",
            "RegistryPrefix": "Base",
            "RegistryVersion": f"{version}.0",
            "OwningEntity": "DMTF",
            "Messages": {
                key: {
                    "Description": message.text,
                    "Message": message.text,
                    "Severity": message.severity,
                    "NumberOfArgs": message.argument_count,
                    "ParamTypes": ["string"] * message.argument_count,
                    "Resolution": message.resolution,
                }
                for key, message in BASE.items()
            },
        }
