"""The shape of an annotation file, from which the schema for editors is generated too. Only shape:
what the names mean together is checked by `domain.catalog`."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from readystate.domain.role import Epoch, Flag, Lane, Reboot, Scope, Take

NAME_PATTERN = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
PATH_PATTERN = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(/[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$"
SHORT_PATTERN = r"^[a-z][a-z0-9_]*$"

NameText = Annotated[str, Field(pattern=NAME_PATTERN, max_length=64)]
PathText = Annotated[str, Field(pattern=PATH_PATTERN, max_length=200)]
ShortText = Annotated[str, Field(pattern=SHORT_PATTERN, max_length=64)]
FlagText = Annotated[Flag, Field(strict=False)]
EpochText = Annotated[Epoch, Field(strict=False)]
JigText = Literal["noop", "call", "script", "ansible"]

#: the key that holds a jig's argument, which by itself already names the jig
ARGUMENT_KEYS = {"call": "call", "script": "script", "playbook": "ansible"}


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class WantShape(Shape):
    """Data in: a layered attribute, or with `from` an output of another role."""

    attribute: PathText
    from_: Annotated[
        NameText | None,
        Field(alias="from", description="The role whose output it is; also a hard requirement."),
    ] = None
    as_: Annotated[
        Take,
        Field(
            strict=False,
            alias="as",
            description="one: this node's own or the only one; first: of the lowest node id;"
            " all: a list by node id; count: how many.",
        ),
    ] = Take.ONE
    default: Annotated[
        JsonValue, Field(description="Taken when the source is skipped or has no value.")
    ] = None
    name: Annotated[
        ShortText | None,
        Field(
            description="What a script calls this input. Left out, it is the last part of the"
            " attribute's path with dashes as underscores: services/proxy/no-proxy is no_proxy."
        ),
    ] = None


class AttributeShape(Shape):
    """A layered attribute that this role declares; only one role may."""

    schema_: Annotated[
        dict[str, JsonValue],
        Field(alias="schema", description="JSON Schema 2020-12 of its value."),
    ]
    default: Annotated[JsonValue, Field(description="The weakest layer.")] = None
    secret: Annotated[bool, Field(description="Never shown; it can have no default.")] = False


class OutputShape(Shape):
    """Data out. What is not declared is refused."""

    schema_: Annotated[
        dict[str, JsonValue],
        Field(alias="schema", description="JSON Schema 2020-12 of its value."),
    ]
    name: Annotated[
        ShortText | None,
        Field(description="What a script calls this output; left out, as for a want."),
    ] = None


class RetryShape(Shape):
    attempts: Annotated[int, Field(description="Counted attempts before error.")] = 5
    backoff_s: Annotated[
        list[float], Field(description="Seconds between attempts; the last one repeats.")
    ] = Field(default_factory=lambda: [5.0, 15.0, 60.0, 300.0])


class AnnotationShape(Shape):
    """What one role needs, wants and puts out."""

    role: Annotated[NameText, Field(description="The same as the file's name without .yml.")]
    summary: Annotated[str, Field(min_length=1, max_length=200, description="One sentence.")]
    jig: Annotated[JigText | None, Field(description="What carries it out.")] = None
    call: Annotated[str | None, Field(description="A Python function of readystate.")] = None
    script: Annotated[str | None, Field(description="A file in annotations/scripts.")] = None
    playbook: Annotated[str | None, Field(description="An Ansible playbook.")] = None
    lane: Annotated[
        Lane,
        Field(strict=False, description="What a run occupies on its node."),
    ] = Lane.NONE
    scope: Annotated[
        Scope,
        Field(
            strict=False,
            description="node: one each; deployment: one for all; cluster: one each, and one"
            " barrier behind them.",
        ),
    ] = Scope.NODE
    flags: list[FlagText] = Field(default_factory=list)
    when: Annotated[
        dict[PathText, JsonValue],
        Field(
            description="Attributes or outputs, and the values at which there is anything to do."
            " Else the role is skipped."
        ),
    ] = Field(default_factory=dict)
    requires: Annotated[
        list[NameText], Field(description="Hard: settled before this runs; created if absent.")
    ] = Field(default_factory=list)
    after: Annotated[
        list[NameText], Field(description="Soft: only order, where both are bound.")
    ] = Field(default_factory=list)
    provides: Annotated[
        list[NameText], Field(description="Other names whose requirement this role satisfies.")
    ] = Field(default_factory=list)
    conflicts: Annotated[
        list[NameText], Field(description="Roles that may not be on the same node.")
    ] = Field(default_factory=list)
    wants: list[WantShape] = Field(default_factory=list)
    attributes: dict[PathText, AttributeShape] = Field(default_factory=dict)
    outputs: dict[PathText, OutputShape] = Field(default_factory=dict)
    reboot: Annotated[
        Reboot,
        Field(
            strict=False,
            description="shared: stages a change that may share one power cycle with others; alone:"
            " reboots within its own run.",
        ),
    ] = Reboot.NONE
    raises: Annotated[
        list[EpochText],
        Field(description="Which of the node's epochs its side effect moves."),
    ] = Field(default_factory=list)
    invalidated_by: Annotated[
        list[EpochText] | None,
        Field(
            description="What un-settles it. Left out, lanes os and both below a role that raises"
            " reinstall have [reinstall]."
        ),
    ] = None
    retry: RetryShape = Field(default_factory=RetryShape)
    deadline_s: Annotated[float, Field(description="Seconds from the first start to error.")] = (
        2700.0
    )
    priority: Annotated[int, Field(description="Higher starts first.")] = 0


def editor_schema() -> dict[str, Any]:
    """JSON Schema of an annotation file, for editors; golden in annotations/schema.json."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "readystate annotation",
        **{
            key: value
            for key, value in AnnotationShape.model_json_schema(by_alias=True).items()
            if key != "title"
        },
    }
