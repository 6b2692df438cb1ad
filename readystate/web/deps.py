"""What the routes may ask, and how each request gets it. `bootstrap` fills it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, TypeVar

from fastapi import Depends, Query, Request

from readystate.domain.errors import AnnotationInvalid
from readystate.engine.boot_desk import BootDesk
from readystate.engine.commit import CatalogOf
from readystate.engine.queries import Progress
from readystate.engine.scans import Scans
from readystate.ports.clock import Clock
from readystate.ports.run_log import RunLog
from readystate.ports.store import Reader, Store, Transaction
from readystate.web.shape import LARGEST_ID

T = TypeVar("T")


@dataclass(frozen=True)
class Services:
    """Everything behind the web face."""

    store: Store
    clock: Clock
    wake: Callable[[], None]  #: tells the annealer that something has changed
    run_log: RunLog
    catalog_of: CatalogOf
    check_files: Callable[[Mapping[str, str]], Sequence[AnnotationInvalid]]
    scans: Scans
    progress: Progress
    boot_desk: BootDesk
    boot_file: Callable[[str], bytes]  #: by path below the boot folder; raises NotFound
    ssh_key: Callable[[], str]  #: our public key line, which nodes let in
    is_annealing: Callable[[], bool]  #: for /readyz

    def now(self) -> datetime:
        return self.clock.now()

    def read(self, query: Callable[[Reader], T]) -> T:
        return self.store.read(query)

    def write(self, change: Callable[[Transaction], T], *, kind: str) -> T:
        """One transaction, then the annealer looks at what it left."""
        result = self.store.write(change, kind=kind)
        self.wake()
        return result


def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


WithServices = Annotated[Services, Depends(services_of)]
After = Annotated[
    int, Query(ge=0, le=LARGEST_ID, description="The `next` of the page before; 0 at first.")
]
Limit = Annotated[int, Query(ge=1, le=1000, description="At most so many items.")]
