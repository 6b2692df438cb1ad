"""The slow reconciler on a real store: what it finds is told, and nothing else is."""

import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from readystate.adapters.system_clock import SystemClock
from readystate.engine.reconciler import Reconciler
from readystate.ports.store import Transaction
from tests.contracts.store_contract import vertex_unit
from tests.protocol.stores import StoreRig, add_chain, add_site, empty_sqlite, open_rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[StoreRig]:
    with open_rig(empty_sqlite(tmp_path, tmp_path / "template.db"), tmp_path) as opened:
        yield opened


def spoil(rig: StoreRig) -> None:
    """A counter that no edge accounts for."""
    site = rig.store.write(add_site, kind="setup")

    def change(tx: Transaction) -> None:
        (item,) = add_chain(tx, site, None, ["a"])
        graph = tx.load([vertex_unit(item.id)])
        graph.put(replace(item, unmet=1))
        tx.save(graph)

    rig.store.write(change, kind="spoil")


def told(rig: StoreRig) -> list[int]:
    found = rig.store.read(lambda reader: reader.events(kinds=["reconciler.difference"]))
    return [event.data["count"] for _, event in found]


def test_agreement_is_not_told(rig: StoreRig) -> None:
    rig.store.write(add_site, kind="setup")

    assert [] == Reconciler(rig.store, SystemClock()).look()
    assert [] == told(rig)


def test_a_difference_is_an_error_in_the_log_and_an_event(
    rig: StoreRig, caplog: pytest.LogCaptureFixture
) -> None:
    spoil(rig)
    (sentence,) = Reconciler(rig.store, SystemClock()).look()

    (record,) = caplog.records
    assert logging.ERROR == record.levelno
    assert "please report it" in record.message
    assert sentence == record.__dict__["difference"]
    assert "1 unmet parents counted, 0 by its edges" in sentence
    assert [1] == told(rig)


def test_it_looks_again_and_again_until_it_is_stopped(rig: StoreRig) -> None:
    spoil(rig)
    reconciler = Reconciler(rig.store, SystemClock(), every_s=0.01)
    reconciler.start()
    ends_at = time.monotonic() + 10
    while len(told(rig)) < 2 and time.monotonic() < ends_at:
        time.sleep(0.01)
    reconciler.stop()

    number = len(told(rig))
    assert number >= 2
    time.sleep(0.05)
    assert number == len(told(rig))
