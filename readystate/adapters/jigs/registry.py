"""All jigs by name: the one place that knows them together."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from readystate.domain.errors import Unsupported
from readystate.ports.jig import Jig


@dataclass(frozen=True)
class JigRegistry:
    jigs: Mapping[str, Jig]

    def get(self, name: str) -> Jig:
        """Raises Unsupported, naming what there is."""
        if name in self.jigs:
            return self.jigs[name]
        close = get_close_matches(name, self.jigs, n=1)
        raise Unsupported(
            f"no jig is called {name!r}",
            why=f"installed: {', '.join(sorted(self.jigs)) or 'none'}",
            hint=f"did you mean {close[0]!r}?" if close else "",
        )
