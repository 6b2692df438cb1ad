"""What one role says must make sense by itself. Each check yields problems and knows nothing of the
other roles; those are in `catalog_check`."""

import re
from collections.abc import Callable, Iterator, Mapping

from readystate.domain.declaration import DeclaredRole, did_you_mean
from readystate.domain.errors import AnnotationInvalid
from readystate.domain.json_schema import schema_problem, value_problem
from readystate.domain.role import Flag, Lane, Reboot, Scope, Take

Problems = Iterator[AnnotationInvalid]


def role_problems(declared: DeclaredRole) -> Problems:
    for check, keys in CHECKS.items():
        if declared.says(*keys):
            yield from check(declared)


def _name(declared: DeclaredRole) -> Problems:
    if not _NAME.fullmatch(declared.name):
        yield declared.problem(
            f"the file's name \"{declared.name}\" is not a role's name",
            why="small letters, digits and dashes",
            hint="rename it",
        )
    if declared.stated_name and declared.stated_name != declared.name:
        yield declared.problem(
            f'"{declared.stated_name}" is not the file\'s name',
            "role",
            why="a role's file is named after it",
            hint=f"role: {declared.name}, or rename the file {declared.stated_name}.yml",
        )


def _noop(declared: DeclaredRole) -> Problems:
    role = declared.role
    if role.jig != "noop":
        if Flag.MILESTONE in role.flags:
            yield declared.problem(
                f"a milestone has the jig {role.jig}",
                declared.jig_key,
                why="a milestone only gathers what others did",
                hint="jig: noop; let another role do the work and require it",
            )
        return
    if role.is_destructive:
        yield declared.problem(
            "destructive, but the jig noop does nothing",
            "flags",
            hint="name the jig that does the work, or remove the flag",
        )
    for key, is_given in (
        ("lane", role.lane is not Lane.NONE),
        ("reboot", role.reboot is not Reboot.NONE),
        ("raises", bool(role.raises)),
        ("outputs", bool(role.outputs) and Flag.ABSTRACT not in role.flags),
    ):
        if is_given:
            yield declared.problem(
                "not with the jig noop", key, why="it does nothing", hint=f"remove {key}"
            )


def _argument(declared: DeclaredRole) -> Problems:
    role = declared.role
    if role.jig == "call" and not _FUNCTION.fullmatch(role.argument):
        yield declared.problem(
            f'"{role.argument}" is not the name of a function',
            "call",
            why="small letters, digits and underscores",
            hint="call: one_of_the_functions",
        )
    if role.jig != "script":
        return
    if not _FILE.fullmatch(role.argument):
        yield declared.problem(
            f'"{role.argument}" is not the name of a file',
            "script",
            why="scripts are the files of one folder, scripts/ beside the annotations",
            hint="a name with letters, digits, dots and dashes",
        )
    elif not declared.is_script_known:
        yield declared.problem(
            f"there is no file scripts/{role.argument}",
            "script",
            hint=did_you_mean(role.argument, declared.scripts, else_hint="add it"),
        )


def _lane(declared: DeclaredRole) -> Problems:
    role = declared.role
    if role.scope is Scope.DEPLOYMENT:
        return
    if role.jig in ("script", "ansible") and role.lane not in (Lane.OS, Lane.BOTH):
        yield declared.problem(
            f"the jig {role.jig} works in the node's operating system, not in lane {role.lane}",
            "lane",
            hint="lane: os",
        )
    if role.reboot is Reboot.SHARED and role.lane is not Lane.BMC:
        yield declared.problem(
            f"shared, in lane {role.lane}",
            "reboot",
            why="only a change that the BMC stages can wait for a shared power cycle",
            hint="lane: bmc, or reboot: alone",
        )
    if role.lane is not Lane.NONE or role.jig == "noop":
        return
    for key, what in (
        ("reboot", "alone" if role.reboot is Reboot.ALONE else ""),
        ("raises", ", ".join(sorted(role.raises))),
        ("flags", "destructive" if role.is_destructive else ""),
    ):
        if what and declared.says(key):
            yield declared.problem(
                f"{what}, in lane none",
                key,
                why="who does that to a node must keep others off it",
                hint="lane: both, bmc or os",
            )


def _deployment_scope(declared: DeclaredRole) -> Problems:
    role = declared.role
    if role.scope is not Scope.DEPLOYMENT:
        return
    for key, is_given in (
        ("lane", role.lane is not Lane.NONE),
        ("reboot", role.reboot is not Reboot.NONE),
        ("raises", bool(role.raises)),
        ("invalidated_by", bool(role.invalidated_by)),
        ("flags", role.is_destructive),
        (declared.jig_key, role.jig in ("script", "ansible")),
    ):
        if is_given:
            shown = {"flags": "destructive", declared.jig_key: role.jig}.get(key, "given")
            remedy = "jig: call" if key == declared.jig_key else f"remove {key}"
            yield declared.problem(
                f"{shown}, in scope deployment",
                key,
                why="a vertex for the whole deployment has no node",
                hint=f"scope: node, or {remedy}",
            )


def _abstract(declared: DeclaredRole) -> Problems:
    role = declared.role
    if Flag.ABSTRACT not in role.flags:
        return
    for key, is_given in (
        (declared.jig_key, role.jig != "noop"),
        ("requires", bool(role.requires)),
        ("wants", bool(role.wants)),
        ("when", bool(role.when)),
    ):
        if is_given:
            yield declared.problem(
                "not in an abstract role",
                key,
                why="it is only a name, and never bound",
                hint=f"move {key} to the roles that provide it",
            )


def _discovery(declared: DeclaredRole) -> Problems:
    if declared.role.is_destructive and Flag.DISCOVERY in declared.role.flags:
        yield declared.problem(
            "discovery and destructive",
            "flags",
            why="discovery binds by itself on enroll, and nobody would be asked",
            hint="remove one of the two",
        )


def _numbers(declared: DeclaredRole) -> Problems:
    role = declared.role
    if role.retry.attempts < 1:
        yield declared.problem(
            f"{role.retry.attempts} is less than one", "retry", "attempts", hint="attempts: 1"
        )
    if not role.retry.backoff_s:
        yield declared.problem("empty", "retry", "backoff_s", hint="backoff_s: [5, 15, 60, 300]")
    for i, wait_s in enumerate(role.retry.backoff_s):
        if not 0 <= wait_s < float("inf"):
            yield declared.problem(
                f"{wait_s:g} is no time to wait", "retry", "backoff_s", i, hint="seconds, 0 or more"
            )
    if not 0 < role.deadline_s < float("inf"):
        yield declared.problem(
            f"{role.deadline_s:g} leaves no time", "deadline_s", hint="seconds, more than 0"
        )


def _repeated(declared: DeclaredRole) -> Problems:
    role = declared.role
    for key in ("requires", "after", "provides", "conflicts"):
        names = getattr(role, key)
        for i, name in enumerate(names):
            if name in names[:i]:
                yield declared.problem(f'"{name}" is there twice', key, i, hint="remove one")
            elif name == declared.name and key != "requires":  # which is a cycle
                yield declared.problem(f'"{name}" is this role itself', key, i, hint="remove it")


def _wanted_twice(declared: DeclaredRole) -> Problems:
    first: dict[str, int] = {}
    for i, want in enumerate(declared.role.wants):
        if first.setdefault(want.attribute, i) != i:
            yield declared.problem(
                f"{want.attribute} is wanted twice",
                "wants",
                i,
                "attribute",
                why=f"line {declared.line('wants', first[want.attribute])} wants it too",
                hint="remove one",
            )


def _first_wants(declared: DeclaredRole) -> list[tuple[str, str | int]]:
    """Short name and place of each; of one that is wanted twice, only the first."""
    wants = declared.role.wants
    first = {want.attribute: i for i, want in reversed(list(enumerate(wants)))}
    return [(wants[i].short_name, i) for i in sorted(first.values())]


def _short_names(declared: DeclaredRole) -> Problems:
    """A script sees its inputs under one name each, and its outputs too."""
    if declared.role.jig not in ("script", "ansible"):
        return
    for key, names in (
        ("wants", _first_wants(declared)),
        ("outputs", [(out.short_name, out.name) for out in declared.role.outputs]),
    ):
        first: dict[str, str | int] = {}
        for short, part in names:
            if short in first:
                yield declared.problem(
                    f'a second one is called "{short}"',
                    key,
                    part,
                    why=f"the first is in line {declared.line(key, first[short])}",
                    hint="give one of them a name: of its own",
                )
            first.setdefault(short, part)


def _schemas(declared: DeclaredRole) -> Problems:
    role = declared.role
    for key, items in (("attributes", role.attributes), ("outputs", role.outputs)):
        for item in items:
            wrong = schema_problem(item.schema)
            if wrong is not None:
                yield declared.problem(
                    "not a JSON Schema", key, item.name, "schema", why=wrong, hint=_SCHEMA_HINT
                )
            elif item.secret and item.has_default:
                yield declared.problem(
                    "a secret with a default",
                    key,
                    item.name,
                    "default",
                    why="a secret in a file is none",
                    hint="remove the default and set it in a deployment",
                )
            elif item.has_default:
                wrong = value_problem(item.schema, item.default)
                if wrong is not None:
                    yield declared.problem(
                        "the default does not match the schema",
                        key,
                        item.name,
                        "default",
                        why=wrong,
                        hint="correct one of the two",
                    )


def _want_defaults(declared: DeclaredRole) -> Problems:
    for i, want in enumerate(declared.role.wants):
        if want.take in (Take.ALL, Take.COUNT) and want.has_default:
            yield declared.problem(
                f"a default, with as: {want.take}",
                "wants",
                i,
                "default",
                why="without sources the list is empty and the count 0",
                hint="remove the default",
            )
        if want.source is None and want.take is not Take.ONE:
            yield declared.problem(
                f"{want.take}, without from",
                "wants",
                i,
                "as",
                why="a layered attribute has one value",
                hint="add from: ROLE, or remove as",
            )


_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_FUNCTION = re.compile(r"[a-z_][a-z0-9_]*")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SCHEMA_HINT = "JSON Schema 2020-12, for example {type: string}"
#: each check, and the keys whose shape must be sound for it to mean anything
CHECKS: Mapping[Callable[[DeclaredRole], Problems], tuple[str, ...]] = {
    _name: ("role",),
    _noop: ("jig", "flags", "lane", "reboot", "raises"),
    _argument: ("jig", "call", "script"),
    _lane: ("jig", "lane", "reboot", "scope"),
    _deployment_scope: ("scope",),
    _abstract: ("flags", "jig"),
    _discovery: ("flags",),
    _numbers: (),
    _repeated: (),
    _wanted_twice: (),
    _short_names: ("jig",),
    _schemas: (),
    _want_defaults: (),
}
