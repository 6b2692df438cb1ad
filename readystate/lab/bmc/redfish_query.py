"""Query parameters of a GET: `$expand`, `$select`, and the pages of long collections.

Source: DSP0266, "Query parameters"."""

import re
from collections.abc import Callable, Mapping

from readystate.lab.bmc.redfish_messages import Body, Refusal
from readystate.lab.bmc.redfish_service import RedfishService

PAGE_SIZE = 50  #: log entries in one answer, as iDRAC 9 gives them
KNOWN = frozenset({"$expand", "$select", "$skip", "$top"})
EXPAND = re.compile(r"([*.~])(?:\(\$levels=(\d+)\))?")

Reader = Callable[[str], Body | None]


def apply_query(
    service: RedfishService, read: Reader, body: Body, query: Mapping[str, str]
) -> Body:
    """Return the body as the query asks for it; `read` gives the resource at a path, or None."""
    for name in query:
        if name.startswith("$") and name not in KNOWN:
            raise Refusal(501, "QueryNotSupported")
    if "Members" in body:
        body = _page(body, query)
    if "$expand" in query:
        body = _expand_as_asked(service, read, body, query["$expand"])
    if "$select" in query:
        if service.personality.expand is None:
            raise Refusal(501, "QueryNotSupported")
        wanted = {name.partition("/")[0] for name in query["$select"].split(",")}
        body = {key: value for key, value in body.items() if key in wanted or "@odata" in key}
    return body


def _page(body: Body, query: Mapping[str, str]) -> Body:
    """Cut a collection; only logs are long enough for a limit of their own."""
    members = body["Members"]
    is_log = "LogEntryCollection" in body["@odata.type"]
    skip = _number(query, "$skip", 0)
    top = _number(query, "$top", PAGE_SIZE if is_log else len(members))
    if is_log:
        top = min(top, PAGE_SIZE)
    if skip == 0 and top >= len(members):
        return body
    body = {**body, "Members": members[skip : skip + top]}
    if skip + top < len(members):
        body["Members@odata.nextLink"] = f"{body['@odata.id']}?$skip={skip + top}"
    return body


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    value = query.get(name)
    if value is None:
        return default
    if not value.isdecimal():
        raise Refusal(400, "QueryParameterValueFormatError", (value, name))
    return int(value)


def _expand_as_asked(service: RedfishService, read: Reader, body: Body, wanted: str) -> Body:
    expand = service.personality.expand
    match = EXPAND.fullmatch(wanted)
    if expand is None:
        raise Refusal(501, "QueryNotSupported")
    if match is None:
        raise Refusal(400, "QueryParameterValueFormatError", (wanted, "$expand"))
    which, levels = match[1], int(match[2] or 1)
    allowed = {"*": expand.all, ".": expand.no_links, "~": expand.links}
    if not allowed[which] or not 1 <= levels <= expand.max_levels:
        raise Refusal(400, "QueryParameterValueFormatError", (wanted, "$expand"))
    return _expand(read, body, which, levels)


def _expand(read: Reader, body: Body, which: str, levels: int) -> Body:
    """Replace references by what they refer to, `levels` deep.

    `*` takes all of them, `~` those below Links, `.` the others."""

    def walk(value: object, is_link: bool) -> object:
        if isinstance(value, list):
            return [walk(item, is_link) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1 and "@odata.id" in value:
            wants = which == "*" or (which == "~") == is_link
            found = read(value["@odata.id"]) if wants else None
            if found is None:
                return value
            return found if levels == 1 else _expand(read, found, which, levels - 1)
        return {key: walk(item, is_link or key == "Links") for key, item in value.items()}

    return {
        key: value if key.startswith("@") else walk(value, key == "Links")
        for key, value in body.items()
    }
