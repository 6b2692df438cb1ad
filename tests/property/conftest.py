"""Fixtures of the scenario tests."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from readystate.domain.role import Role
from tests.property.invariants import check_always
from tests.property.scenario import Rig

# `make mutate` only wants to know whether a test fails, not the smallest example of how.
settings.register_profile(
    "mutation",
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def make_rig() -> Iterator[Callable[..., Rig]]:
    """Builds rigs from roles; whatever the scenario did, the invariants hold at its end."""
    with ExitStack() as stack:
        made: list[Rig] = []

        def make(*roles: Role, **said: Any) -> Rig:
            rig = Rig(*roles, **said)
            stack.callback(rig.close)
            made.append(rig)
            return rig

        yield make
        for rig in made:
            check_always(rig)
