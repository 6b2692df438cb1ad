"""The refusals. Families decide behaviour, text helps a person.

The families of work (`Unreachable` ... `Failed`) are shared by hammers and jigs and decide whether
a run is retried, by the table in docs/states.md. No status codes here: `web/errors.py` and
`cli/errors.py` map classes to HTTP and exit codes."""

from collections.abc import Iterable
from typing import ClassVar


class ReadystateError(Exception):
    """What failed, with the names of things; why; and what to do about it."""

    def __init__(self, what: str, *, why: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.hint = hint

    def __str__(self) -> str:
        return ": ".join(part for part in (self.what, self.why) if part)


class WorkError(ReadystateError):
    """Work on a node did not succeed. `family` is stored with the run and is stable."""

    family: ClassVar[str] = "failed"


class Unreachable(WorkError):
    """No answer, or the connection broke: a later pass tries again."""

    family = "unreachable"


class Busy(WorkError):
    """An answer that says "not now": a later pass tries again."""

    family = "busy"


class Refused(WorkError):
    """Credentials or permission: stop and ask a person."""

    family = "refused"


class Unsupported(WorkError):
    """This device cannot do it: never retried."""

    family = "unsupported"


class Invalid(WorkError):
    """The request makes no sense to the device, or the work's own input is wrong: never retried."""

    family = "invalid"


class Failed(WorkError):
    """The work ran and said no: counted attempts."""

    family = "failed"


class OutcomeUnknown(WorkError):
    """Work was cut after its point of no return: a person must look."""

    family = "outcome-unknown"


class Stopped(ReadystateError):
    """This run may not go on: cancelled, its lease is lost, or a newer attempt has begun."""


class InvalidTransition(ReadystateError):
    """A verb that the node-role's state does not allow."""


class AttributeMissing(ReadystateError):
    """A wanted attribute has no value anywhere."""


class AnnotationInvalid(ReadystateError):
    """One problem in a declared file; `what` starts with `file:line`."""

    def __init__(self, what: str, *, file: str, line: int, why: str = "", hint: str = "") -> None:
        super().__init__(f"{file}:{line} {what}", why=why, hint=hint)
        self.file = file
        self.line = line


class AnnotationsInvalid(ReadystateError):
    """Declared files that cannot be used, with every problem at once, by file and line."""

    def __init__(self, problems: Iterable[AnnotationInvalid]) -> None:
        found = sorted(problems, key=lambda item: (item.file, item.line, item.what, item.why))
        self.problems: tuple[AnnotationInvalid, ...] = tuple(found)
        super().__init__(
            f"{len(found)} problem{'s' if len(found) != 1 else ''} in declared files",
            why="\n".join(f"{item}\n    {item.hint}" if item.hint else str(item) for item in found),
        )


class NotFound(ReadystateError):
    """A name that nothing bears. Not for "could not find out"."""


class Conflict(ReadystateError):
    """What the request rests on has moved, or something needs what it would take away."""


class BadRequest(ReadystateError):
    """Input that cannot be understood or accepted."""
