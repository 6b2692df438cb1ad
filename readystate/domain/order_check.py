"""Whether roles can follow one another at all: what is needed, un-settled, ordered."""

from itertools import pairwise

from readystate.domain.declaration import Book
from readystate.domain.errors import AnnotationInvalid
from readystate.domain.ids import RoleName
from readystate.domain.role_check import Problems
from readystate.domain.role_order import cycles, union


def order_problems(book: Book) -> Problems:
    """Three rings, each around the last: what is needed; what is un-settled; what is only ordered.
    A knot is reported where it first closes."""
    order = book.order
    done: set[RoleName] = set()
    for edges, what, why in (
        (order.hard, "a cycle of hard needs", "none of them could ever start"),
        (
            union(order.hard, order.invalidated),
            "a cycle of needs and what they un-settle",
            "each run would un-settle what it rests on, without end",
        ),
        (
            union(order.hard, order.invalidated, order.after),
            "the order contradicts itself",
            "a role may not run after what rests on it",
        ),
    ):
        found = [ring for ring in cycles(edges) if not done.intersection(ring)]
        for ring in found:
            yield _cycle_problem(book, ring, what, why)
            done.update(ring)


def _cycle_problem(
    book: Book, ring: tuple[RoleName, ...], what: str, why: str
) -> AnnotationInvalid:
    item = book.by_name[ring[0]]
    steps = [str(ring[0])]
    removable = ""
    path: tuple[str | int, ...] = ()
    for child, parent in pairwise(ring):
        word, at = _edge_words(book, child, parent)
        steps.append(f"{word} {parent}")
        path = path or (at if child == ring[0] else ())
        if word == "after":
            item, path = book.by_name[child], at
            removable = "remove the after"
        elif word == "is un-settled by" and not removable:
            removable = f"invalidated_by: [] in {child}, or require less"
    hint = removable or "remove one of these needs"
    return item.problem(f"{what}: {' '.join(steps)}", *path, why=why, hint=hint)


def _edge_words(book: Book, child: RoleName, parent: RoleName) -> tuple[str, tuple[str | int, ...]]:
    item = book.by_name[child]
    if parent in book.order.hard[child]:
        for need in book.order.needs(child):
            if parent in book.order.providers(need):
                return f"{'needs' if need == parent else f'needs {need} from'}", item.need_path(
                    need
                )
    if parent in book.order.invalidated[child]:
        return "is un-settled by", ("invalidated_by",)
    names = [i for i, name in enumerate(item.role.after) if parent in book.order.providers(name)]
    return "after", ("after", names[0])
