"""What roles say must fit together: names, data, providers, order. Every check yields all its
problems; ambiguity is one of them, never settled by a sort order."""

from collections.abc import Callable, Iterator, Sequence

from readystate.domain.declaration import Book, DeclaredRole, did_you_mean
from readystate.domain.errors import AnnotationInvalid
from readystate.domain.ids import RoleName
from readystate.domain.json_schema import schema_problem, value_problem
from readystate.domain.order_check import order_problems
from readystate.domain.role import Declared, Flag, Scope, Take, Want
from readystate.domain.role_check import Problems, role_problems


def catalog_problems(
    declared: Sequence[DeclaredRole], unread: frozenset[RoleName] = frozenset()
) -> list[AnnotationInvalid]:
    """All problems of meaning. `unread` are roles whose files could not be read."""
    book = Book(declared, unread)
    problems = [problem for item in declared for problem in role_problems(item)]
    for check in CHECKS_OF_EACH:
        problems += [problem for item in declared for problem in check(book, item)]
    for check_all in CHECKS_OF_ALL:
        problems += check_all(book)
    return problems


# -- names -----------------------------------------------------------------------------------------


def _unknown_names(book: Book, item: DeclaredRole) -> Problems:
    for key in ("requires", "after", "conflicts"):
        for i, name in enumerate(getattr(item.role, key)):
            if name not in book.names:
                yield _unknown_role(book, item, name, key, i)
    for i, want in enumerate(item.role.wants):
        if want.source is not None and want.source not in book.names:
            yield _unknown_role(book, item, want.source, "wants", i, "from")


def _unknown_role(book: Book, item: DeclaredRole, name: str, *path: str | int) -> AnnotationInvalid:
    hint = did_you_mean(name, book.names, else_hint="add its file, or remove the name")
    return item.problem(f'no role is named "{name}"', *path, hint=hint)


def _declared_once(book: Book) -> Problems:
    first: dict[str, tuple[DeclaredRole, Declared, str]] = {}
    for item in book.declared:
        for key, many in (("attributes", item.role.attributes), ("outputs", item.role.outputs)):
            for one in many:
                if one.name not in first:
                    first[one.name] = (item, one, key)
                    continue
                other, its, other_key = first[one.name]
                defaults = its.has_default and one.has_default
                what = "two defaults for one attribute" if defaults else "declared twice"
                yield item.problem(
                    f"{what}: {other.name} declares it too",
                    key,
                    one.name,
                    why=f"{other.place(other_key, one.name)} is the first; only one role may",
                    hint="remove it here and want it, or give it another name",
                )


def _one_default(book: Book) -> Problems:
    """Where the declaration has no default, wants may have one; but all the same."""
    first: dict[str, tuple[DeclaredRole, int, Want]] = {}
    for item in book.declared:
        for i, want in enumerate(item.role.wants):
            if want.source is not None or not want.has_default:
                continue
            other, at, its = first.setdefault(want.attribute, (item, i, want))
            if its.default != want.default:
                yield item.problem(
                    f"two defaults for {want.attribute}",
                    "wants",
                    i,
                    "default",
                    why=f"{other.place('wants', at, 'default')} gives another",
                    hint="put one default where the attribute is declared",
                )


# -- data ------------------------------------------------------------------------------------------


def _want_sources(book: Book, item: DeclaredRole) -> Problems:
    for i, want in enumerate(item.role.wants):
        if want.source is None:
            yield from _layered_want(book, item, i, want)
        elif want.source in book.names and want.source not in book.unread:
            yield from _output_want(book, item, i, want)


def _layered_want(book: Book, item: DeclaredRole, i: int, want: Want) -> Problems:
    name = want.attribute
    if name in book.attributes:
        owner, attribute = book.attributes[name]
        if attribute.has_default and want.has_default:
            yield item.problem(
                f"two defaults for {name}",
                "wants",
                i,
                "default",
                why=f"{owner.place('attributes', name)} gives one, so this is never used",
                hint="remove one of them",
            )
        yield from _default_matches(item, i, want, attribute)
    elif name in book.outputs:
        owner, _ = book.outputs[name]
        yield item.problem(
            f"{name} is an output, wanted as a layered attribute",
            "wants",
            i,
            "attribute",
            why=f"{owner.place('outputs', name)} puts it out",
            hint=f"add from: {owner.name}",
        )
    else:
        yield item.problem(
            f"{name} has no source",
            "wants",
            i,
            "attribute",
            why=f"no role declares it{book.unread_remark}",
            hint=did_you_mean(
                name, [*book.attributes, *book.outputs], else_hint="declare it under attributes:"
            ),
        )


def _output_want(book: Book, item: DeclaredRole, i: int, want: Want) -> Problems:
    assert want.source is not None  # noqa: S101 - the caller asked
    providers = {want.source, *book.order.providers(want.source)}
    own = {
        name: (source, out)
        for name, (source, out) in book.outputs.items()
        if source.name in providers
    }
    if want.attribute in own:
        yield from _default_matches(item, i, want, own[want.attribute][1])
        return
    if any(not book.by_name[name].says("outputs") for name in providers if name in book.by_name):
        return  # the output may be one of those that are reported for their shape
    owner = book.outputs.get(want.attribute)
    hint = did_you_mean(want.attribute, own, else_hint="")
    if owner is not None:
        hint = f"from: {owner[0].name}"
    elif not hint:
        hint = f"it puts out {', '.join(sorted(own)) or 'nothing'}"
    yield item.problem(
        f"{want.source} does not put out {want.attribute}", "wants", i, "attribute", hint=hint
    )


def _default_matches(item: DeclaredRole, i: int, want: Want, declared: Declared) -> Problems:
    if not want.has_default or want.take in (Take.ALL, Take.COUNT):
        return
    if schema_problem(declared.schema) is not None:
        return
    wrong = value_problem(declared.schema, want.default)
    if wrong is not None:
        yield item.problem(
            f"the default does not match the schema of {want.attribute}",
            "wants",
            i,
            "default",
            why=wrong,
            hint="correct it",
        )


def _when(book: Book, item: DeclaredRole) -> Problems:
    for name, required in item.role.when:
        found = book.attributes.get(name) or book.outputs.get(name)
        if found is None:
            yield item.problem(
                "no role declares it or puts it out" + book.unread_remark,
                "when",
                name,
                hint=did_you_mean(
                    name,
                    [*book.attributes, *book.outputs],
                    else_hint="declare it under attributes:",
                ),
            )
            continue
        owner, declared = found
        if owner.name == item.name and name in book.outputs:
            yield item.problem(
                "this is the role's own output", "when", name, hint="name another's, or remove it"
            )
        wrong = (
            None if schema_problem(declared.schema) else value_problem(declared.schema, required)
        )
        if wrong is not None:
            yield item.problem(
                "can never have this value", "when", name, why=wrong, hint="correct the value"
            )


def _taking(book: Book, item: DeclaredRole) -> Problems:
    """How many values a want can meet follows from the two scopes."""
    for i, want in enumerate(item.role.wants):
        if want.source is None:
            continue
        scopes = {
            book.by_name[name].role.scope
            for name in book.order.providers(want.source)
            if name in book.by_name
        }
        many = want.take in (Take.ALL, Take.COUNT)
        if many and Scope.NODE in scopes and item.role.scope is not Scope.DEPLOYMENT:
            yield item.problem(
                f"{want.take}, from {want.source}, which is one on each node",
                "wants",
                i,
                "as",
                why="a node-role reads its own node, or what stands behind a barrier",
                hint=f"as: one, or give {want.source} the scope cluster",
            )
        if (
            want.take is Take.ONE
            and item.role.scope is Scope.DEPLOYMENT
            and (Scope.CLUSTER in scopes)
        ):
            yield item.problem(
                f"one, from {want.source}, which has many nodes",
                "wants",
                i,
                "as" if "as" in item.content.get("wants", [{}])[i] else "from",
                hint="as: first, all or count",
            )


# -- providers -------------------------------------------------------------------------------------


def _provided(book: Book, item: DeclaredRole) -> Problems:
    """Whoever needs a name must find one provider, or leave the choice to a person."""
    for need in book.order.needs(item.name):
        if need not in book.names or need in book.unread:
            continue
        path = item.need_path(need)
        providers = book.order.providers(need)
        if not providers:
            yield item.problem(
                f"nothing provides {need}",
                *path,
                why=f"{book.by_name[need].place('flags')} says that it is abstract",
                hint=f"add provides: [{need}] to a role",
            )
        elif book.order.choice(need) is None:
            yield from _ambiguous(book, item, need, providers)
        if item.role.scope is Scope.DEPLOYMENT:
            yield from _needs_a_node(book, item, need, providers)


def _ambiguous(
    book: Book, item: DeclaredRole, need: RoleName, providers: tuple[RoleName, ...]
) -> Problems:
    for i, name in enumerate(providers):
        for other in providers[i + 1 :]:
            if (name, other) not in book.order.conflicts:
                yield item.problem(
                    f"{name} and {other} both provide {need}",
                    *item.need_path(need),
                    why="nothing says which of them is bound",
                    hint=f"require one of them, or let {name} conflict with {other} so that a"
                    " person chooses",
                )
                return


def _needs_a_node(
    book: Book, item: DeclaredRole, need: RoleName, providers: tuple[RoleName, ...]
) -> Problems:
    for name in providers:
        if book.order.roles[name].scope is Scope.NODE and item.says("scope"):
            yield item.problem(
                f"{name} is one on each node",
                *item.need_path(need),
                why="a vertex for the whole deployment has no node to find it on",
                hint=f"give {name} the scope cluster or deployment",
            )


def _conflicts(book: Book, item: DeclaredRole) -> Problems:
    """A role is bound together with all that it needs, so these may not exclude one another."""
    above = book.order.forced_ancestors(item.name)
    bound = {item.name, *above}
    for name, other in sorted(book.order.conflicts):
        if name > other or not {name, other} <= bound:
            continue
        if item.name in (name, other):
            needed = other if name == item.name else name
            yield item.problem(
                f"needs {needed} and conflicts with it",
                "conflicts" if item.role.conflicts else "requires",
                hint="remove one of the two",
            )
        elif not any(
            {name, other} <= {parent, *book.order.forced_ancestors(parent)} for parent in above
        ):
            yield item.problem(
                f"needs {name} and {other}, which conflict",
                "requires",
                hint="require only one of the two",
            )


def _discovery(book: Book, item: DeclaredRole) -> Problems:
    if Flag.DISCOVERY not in item.role.flags:
        return
    for name in sorted(book.order.forced_ancestors(item.name)):
        if book.order.roles[name].is_destructive:
            yield item.problem(
                f"discovery pulls in {name}, which is destructive",
                "flags",
                why="discovery binds by itself on enroll, and nobody would be asked",
                hint="remove the flag discovery",
            )


CHECKS_OF_EACH: tuple[Callable[[Book, DeclaredRole], Problems], ...] = (
    _unknown_names,
    _want_sources,
    _when,
    _taking,
    _provided,
    _conflicts,
    _discovery,
)
CHECKS_OF_ALL: tuple[Callable[[Book], Iterator[AnnotationInvalid]], ...] = (
    _declared_once,
    _one_default,
    order_problems,
)
