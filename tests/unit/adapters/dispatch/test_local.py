"""Workers in this process."""

from collections.abc import Iterator

import pytest

from readystate.adapters.dispatch.local import LocalDispatcher
from tests.contracts.dispatch_contract import WAIT_S, DispatchContract, DispatchRig, Workers


@pytest.fixture
def rig() -> Iterator[DispatchRig]:
    workers = Workers()
    dispatcher = LocalDispatcher(workers.carry_out, cancel=workers.cancel, workers=2)
    yield DispatchRig(workers, dispatcher)
    workers.let_go(*range(10))
    dispatcher.close(grace_s=WAIT_S)


class TestLocalDispatcher(DispatchContract):
    pass
