"""Refusals at a terminal: what, why, hint, a line each; and one table from class to exit code."""

import sys
from collections.abc import Mapping
from typing import NoReturn

from readystate.cli.output import escaped
from readystate.domain.errors import (
    AnnotationsInvalid,
    AttributeMissing,
    BadRequest,
    Conflict,
    Invalid,
    InvalidTransition,
    NotFound,
    ReadystateError,
    Refused,
    Stopped,
    Unreachable,
    Unsupported,
)


class Unauthenticated(ReadystateError):
    """No token, or one that the server does not know."""


class ServerFailed(ReadystateError):
    """The server could not do what it understood."""


FAILED = 1
STILL_WORKING = 2

#: The nearest class up the inheritance counts.
EXIT_CODES: Mapping[type[ReadystateError], int] = {
    NotFound: 3,
    Unauthenticated: 4,
    Refused: 4,
    Conflict: 5,
    InvalidTransition: 5,
    AttributeMissing: 5,
    Stopped: 5,
    BadRequest: 6,
    Invalid: 6,
    Unsupported: 6,
    AnnotationsInvalid: 6,
    Unreachable: 7,
    ServerFailed: 8,
    ReadystateError: FAILED,
}

#: For `--help`; `\b` keeps the lines as they are.
EXIT_CODES_TEXT = """\b
Exit codes:
  0  done
  1  failed: work needs a person, files have problems
  2  wrong usage; `anneal --wait`: still working at the timeout
  3  no such thing
  4  not allowed: no token, or one that the server refuses
  5  conflict: the state does not allow it, or a plan has moved
  6  invalid: input, settings or annotations that cannot be used
  7  the server cannot be reached
  8  the server failed"""

#: A problem's type, without its prefix, to the class that it was; see web/errors.py.
_KINDS: Mapping[str, type[ReadystateError]] = {
    "not-found": NotFound,
    "unauthenticated": Unauthenticated,
    "refused": Refused,
    "conflict": Conflict,
    "invalid-transition": InvalidTransition,
    "attribute-missing": AttributeMissing,
    "stopped": Stopped,
    "bad-request": BadRequest,
    "request-invalid": BadRequest,
    "too-large": BadRequest,
    "invalid": Invalid,
    "unsupported": Unsupported,
    "annotations-invalid": Invalid,
}


def exit_code(error: ReadystateError) -> int:
    return next(EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES)


def error_of_problem(problem: Mapping[str, object]) -> ReadystateError:
    """The refusal that a server's problem document tells of."""
    kind = str(problem.get("type", "")).rpartition(":")[2]
    what = str(problem.get("what") or problem.get("detail") or problem.get("title") or kind)
    return _KINDS.get(kind, ServerFailed)(
        what, why=str(problem.get("why", "")), hint=str(problem.get("hint", ""))
    )


def error_text(error: ReadystateError) -> str:
    lines = [f"readystate: {error.what}"]
    lines += [f"  why:  {error.why}"] if error.why else []
    lines += [f"  hint: {error.hint}"] if error.hint else []
    return "\n".join(lines) + "\n"


def leave(error: ReadystateError) -> NoReturn:
    sys.stderr.write(escaped(error_text(error), keep="\n"))
    sys.exit(exit_code(error))
