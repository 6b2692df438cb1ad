"""Scans that people ask for: each in a thread of its own, with progress that can be asked for."""

import itertools
import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from readystate.domain.errors import Conflict, NotFound, ReadystateError
from readystate.domain.events import Event
from readystate.domain.sighting import BmcSighting
from readystate.engine.sightings import record_sighting
from readystate.ports.clock import Clock
from readystate.ports.discovery import ScanCount, Scanner
from readystate.ports.store import Store, Transaction

log = logging.getLogger(__name__)

KEPT_SCANS = 100
#: One scan already sends as fast as the network likes.
SCANS_AT_ONCE = 4


class ScanState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Scan:
    id: int
    ranges: tuple[str, ...]
    state: ScanState
    done: int  #: addresses tried
    total: int
    found: int  #: BMCs that answered
    started_at: datetime
    error: str = ""


class Scans:
    """Kept in memory: what a scan finds is stored, that it ran is not. Thread-safe."""

    def __init__(self, store: Store, scanner: Scanner, clock: Clock) -> None:
        self._store = store
        self._scanner = scanner
        self._clock = clock
        self._scans: OrderedDict[int, Scan] = OrderedDict()
        self._ids = itertools.count(1)
        self._lock = threading.Lock()

    def start(self, ranges: Sequence[str], *, by: str) -> Scan:
        """Raises BadRequest for what is no range, and Conflict while too many scans run."""
        total = self._scanner.count(ranges)
        with self._lock:
            if sum(item.state is ScanState.RUNNING for item in self._scans.values()) >= (
                SCANS_AT_ONCE
            ):
                raise Conflict("too many scans are running", why=f"at most {SCANS_AT_ONCE} at once")
            scan = Scan(
                next(self._ids),
                tuple(ranges),
                ScanState.RUNNING,
                done=0,
                total=total,
                found=0,
                started_at=self._clock.now(),
            )
            self._scans[scan.id] = scan
            while len(self._scans) > KEPT_SCANS:
                self._scans.popitem(last=False)
        thread = threading.Thread(
            target=self._run, args=(scan, by), name=f"scan-{scan.id}", daemon=True
        )
        thread.start()
        return scan

    def get(self, scan_id: int) -> Scan:
        """Raises NotFound."""
        with self._lock:
            scan = self._scans.get(scan_id)
        if scan is None:
            raise NotFound(f"no scan {scan_id}", why="scans are forgotten when the server stops")
        return scan

    def all(self) -> list[Scan]:
        """Newest first."""
        with self._lock:
            return list(reversed(self._scans.values()))

    def _run(self, scan: Scan, by: str) -> None:
        try:
            self._scanner.scan(
                scan.ranges,
                on_sighting=self._take_in,
                on_progress=lambda count: self._show(scan.id, count),
            )
        except ReadystateError as error:
            log.warning("scan failed", extra={"scan": scan.id, "error": str(error)})
            self._end(scan.id, ScanState.FAILED, by, error=str(error))
        except BaseException:
            self._end(scan.id, ScanState.FAILED, by, error="internal error; see the log")
            raise
        else:
            self._end(scan.id, ScanState.DONE, by)

    def _take_in(self, seen: BmcSighting) -> None:
        ports = {protocol: self._scanner.port_of(protocol) for protocol in seen.protocols}
        self._store.write(lambda tx: record_sighting(tx, seen, ports), kind="sighting")

    def _show(self, scan_id: int, count: ScanCount) -> None:
        with self._lock:
            if (scan := self._scans.get(scan_id)) is not None:
                self._scans[scan_id] = replace(
                    scan, done=count.done, total=count.total, found=count.found
                )

    def _end(self, scan_id: int, state: ScanState, by: str, *, error: str = "") -> None:
        with self._lock:
            scan = self._scans.get(scan_id)
            if scan is None:
                return
            ended = self._scans[scan_id] = replace(scan, state=state, error=error)
        now = self._clock.now()

        def tell(tx: Transaction) -> int:
            data = {"scan": ended.id, "ranges": list(ended.ranges), "found": ended.found}
            return tx.append(Event(kind=f"scan.{state}", at=now, actor=by, data=data))

        self._store.write(tell, kind="scan")
