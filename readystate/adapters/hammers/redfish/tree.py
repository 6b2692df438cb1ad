"""Walking a Redfish service by its links: nothing here knows an id or a vendor's path.

Links may lead nowhere (real BMCs have such), collections may come in pages or expanded, and ids may
be spelt in another case than the links to them. Source: DSP0266 sections 7.3 ($expand), 9.6."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from readystate.adapters.hammers.redfish.client import RedfishClient
from readystate.domain.errors import Failed, Invalid, Unsupported

Resource = dict[str, Any]


class RedfishTree:
    def __init__(self, client: RedfishClient) -> None:
        self.client = client
        # Both from quirks, set by the hammer once it knows the machine:
        self.use_expand = True
        self.absent_despite_500 = ""
        self._can_expand = True

    def root(self) -> Resource:
        return self.client.root()

    def get(self, path: str) -> Resource:
        return self.client.get(path).body

    def find(self, holder: Mapping[str, Any], *names: str) -> Resource | None:
        """The resource behind the link `holder[name][...]`; None when the link is absent or leads
        nowhere."""
        path = link(holder, *names)
        return None if not path else self.find_at(path)

    def find_at(self, path: str) -> Resource | None:
        try:
            return self.get(path)
        except Unsupported:
            return None
        except Failed:
            if self.absent_despite_500 and re.search(self.absent_despite_500, path):
                return None
            raise

    def get_expanded(self, path: str) -> Resource | None:
        """One resource, with what it links to inline where the service can; None if absent."""
        query = self._expand_query()
        if query:
            try:
                return self.get(path + query)
            except (Unsupported, Invalid, Failed):
                plain = self.find_at(path)
                self._can_expand = plain is None  # advertised, and not there
                return plain
        return self.find_at(path)

    def members(self, holder: Mapping[str, Any], *names: str) -> list[Resource]:
        """All members of the collection behind a link, each whole. Empty when there is none."""
        path = link(holder, *names)
        return [] if not path else list(self._members_at(path))

    def _members_at(self, path: str) -> Iterator[Resource]:
        page = self.get_expanded(path)
        seen = {path}
        while page is not None:
            yield from self.resolve(page.get("Members", ()))
            following = page.get("Members@odata.nextLink")
            if not isinstance(following, str) or following in seen:
                return
            seen.add(following)
            page = self.find_at(following)

    def resolve(self, references: object) -> Iterator[Resource]:
        """Whole resources for a list that holds links, expanded resources, or both."""
        if not isinstance(references, (list, tuple)):
            return
        for reference in references:
            if not isinstance(reference, Mapping):
                continue
            if any(not name.startswith("@") for name in reference):
                yield dict(reference)
                continue
            path = reference.get("@odata.id")
            resource = self.find_at(path) if isinstance(path, str) else None
            if resource is not None:
                yield resource

    def _expand_query(self) -> str:
        """The cheapest query that the service advertises for its subordinate resources."""
        if not (self.use_expand and self._can_expand):
            return ""
        features = self.root().get("ProtocolFeaturesSupported")
        expand = features.get("ExpandQuery") if isinstance(features, Mapping) else None
        if not isinstance(expand, Mapping):
            return ""
        sign = "." if expand.get("NoLinks") else "*" if expand.get("ExpandAll") else ""
        if not sign:
            return ""
        return f"?$expand={sign}($levels=1)" if expand.get("Levels") else f"?$expand={sign}"


def link(holder: Mapping[str, Any], *names: str) -> str:
    """The path behind `holder[name1][name2]...`, whose end is a link or a list of links; or "".
    Without names, of the holder itself."""
    value: object = holder
    for name in names:
        if not isinstance(value, Mapping):
            return ""
        value = value.get(name)
    if isinstance(value, (list, tuple)) and value:
        value = value[0]
    path = value.get("@odata.id") if isinstance(value, Mapping) else value
    return path if isinstance(path, str) else ""


def is_present(resource: Mapping[str, Any]) -> bool:
    status = resource.get("Status")
    return not (isinstance(status, Mapping) and status.get("State") == "Absent")


def text(resource: Mapping[str, Any], *names: str) -> str:
    """The first of the named properties that is a non-empty text."""
    for name in names:
        value = resource.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def number(resource: Mapping[str, Any], *names: str) -> float | None:
    for name in names:
        value = resource.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return value
    return None


def health(resource: Mapping[str, Any]) -> str:
    status = resource.get("Status")
    word = str(status.get("Health") or "OK") if isinstance(status, Mapping) else "OK"
    return {"Warning": "warning", "Critical": "critical"}.get(word, "ok")
