"""The composition root: the only place where adapters are chosen and wired.

`build` makes an Application from settings, `Application.start` sets it going. On the very first
start it also makes the schema, the `system` deployment with the shipped annotations, and one API
token."""

import logging
import os
import resource
import secrets
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import TextIO

from readystate.adapters.boot.boot_files import BootFiles
from readystate.adapters.boot.templates import BootTemplates
from readystate.adapters.declared.annotation_files import AnnotationFiles
from readystate.adapters.declared.annotations import build_catalog, declare_roles
from readystate.adapters.declared.profiles import load_profiles
from readystate.adapters.declared.quirks import load_quirks
from readystate.adapters.declared.stored_catalogs import StoredCatalogs, check_texts
from readystate.adapters.discovery.range_scanner import RangeScanner
from readystate.adapters.dispatch.local import LocalDispatcher
from readystate.adapters.hammers.credential_trials import CredentialTrials
from readystate.adapters.hammers.redfish.client import bmc_tls_context
from readystate.adapters.hammers.registry import BmcHammerRegistry
from readystate.adapters.jigs.call import CallJig
from readystate.adapters.jigs.calls.registry import shipped_calls
from readystate.adapters.jigs.noop import NoopJig
from readystate.adapters.jigs.script import ScriptJig, load_identity, public_key_line
from readystate.adapters.jigs.script.connections import NodeConnections
from readystate.adapters.run_log import FileRunLog
from readystate.adapters.store import migrations
from readystate.adapters.store.refusals import StoreError
from readystate.adapters.store.sql_store import OnCommit, SqlStore
from readystate.adapters.system_clock import SystemClock
from readystate.domain.deployment import AttributeScope
from readystate.domain.errors import AnnotationsInvalid, ReadystateError
from readystate.domain.ids import NodeId
from readystate.domain.profile import Profile
from readystate.domain.secret import Secret
from readystate.engine.access import has_tokens, issue_token
from readystate.engine.annealer import Annealer, Limits
from readystate.engine.boot_desk import BootDesk
from readystate.engine.executor import Executor
from readystate.engine.queries import Progress
from readystate.engine.reconciler import Reconciler
from readystate.engine.run_context import Surroundings
from readystate.engine.scans import Scans
from readystate.log import set_up_logging
from readystate.ports.hammer import BmcEndpoint, PowerControl
from readystate.ports.jig import Jig
from readystate.ports.store import Transaction
from readystate.settings import Settings
from readystate.shipped import Shipped, shipped_path
from readystate.web import server
from readystate.web.app import WebApp, create_app
from readystate.web.deps import Services

log = logging.getLogger(__name__)

BOOT_FILES = "boot"  #: in data_dir: kernels and images that machines fetch
SYSTEM = "system"  #: the root of all deployments
TOKEN_FILE = "api-token"  #: in data_dir, for the CLI on this machine  # noqa: S105
#: Runs that are under way may finish; what does not is taken up again at the next start.
STOP_GRACE_S = 10.0
#: A database that is away is asked again after this.
STORE_RETRY_S = 5.0


class AnnealerDied(ReadystateError):
    """The process is of no use any more: whoever watches it starts another one."""


class AnnealerThread:
    """The annealer on a thread of its own; asks an absent database again until it is back."""

    def __init__(self, annealer: Annealer) -> None:
        self._annealer = annealer
        self._thread = threading.Thread(target=self._run, name="annealer", daemon=True)
        self._stopping = threading.Event()

    def start(self) -> None:
        """Once."""
        self._thread.start()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        """Waits for the turn that is under way."""
        self._stopping.set()
        self._annealer.stop()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._annealer.run()
            except StoreError as error:
                log.error("the annealer waits for its database", extra={"error": str(error)})
                self._stopping.wait(STORE_RETRY_S)
            except BaseException:
                log.critical("the annealer died", exc_info=True)
                raise


@dataclass(frozen=True)
class Application:
    """A readystate process, put together. `services` is what the web face asks."""

    settings: Settings
    store: SqlStore
    annealer: Annealer
    dispatcher: LocalDispatcher
    hammers: BmcHammerRegistry
    services: Services
    first_token: Secret | None  #: only on the very first start; shown once
    reconciler: Reconciler
    _thread: AnnealerThread
    _exits: ExitStack

    def start(self) -> None:
        """Begin to anneal."""
        self._thread.start()
        self.reconciler.start()

    def stop(self, *, grace_s: float = STOP_GRACE_S) -> None:
        """Start nothing new, let runs finish for a while, record what they say, close everything.
        What is cut then is taken up by the next start."""
        with self._exits:
            was_annealing = self._thread.is_alive()
            self._thread.stop()
            self.dispatcher.close(grace_s=grace_s)
            self.reconciler.stop()
            if was_annealing:
                self.annealer.take_last_answers()

    def web_app(self) -> WebApp:
        return create_app(self.services, version=readystate_version())


def readystate_version() -> str:
    return version("readystate")


def build(settings: Settings, *, on_commit: OnCommit | None = None) -> Application:
    """Wire everything; starts nothing. Makes the schema of a new database. Raises SchemaMismatch
    with the command that mends it, and Conflict while another process serves the same database."""
    data_dir = settings.ensure_data_dir()
    url = settings.database_url.reveal()
    if migrations.is_new(url):
        migrations.upgrade(url)
    migrations.check_schema(url)
    with ExitStack() as exits:
        return _wire(settings, data_dir, url, exits, on_commit)


def _wire(
    settings: Settings, data_dir: Path, url: str, exits: ExitStack, on_commit: OnCommit | None
) -> Application:
    clock = SystemClock()
    catalogs = StoredCatalogs()
    store = SqlStore(url, data_dir=data_dir, book_for=catalogs.book_for, on_commit=on_commit)
    exits.callback(store.close)
    folder = settings.annotations_dir or shipped_path(Shipped.ANNOTATIONS)
    first_token = _prepare(store, folder, clock, data_dir)
    catalogs.load_all(store)
    hammers = BmcHammerRegistry(
        clock=clock,
        quirks=load_quirks(shipped_path(Shipped.ANNOTATIONS) / "quirks"),
        tls=bmc_tls_context(verify_certificates=settings.bmc_tls_verify),
    )
    exits.callback(hammers.close)
    identity = load_identity(data_dir)
    connections = NodeConnections(identity)
    exits.callback(connections.close)

    def wake() -> None:
        annealer.wake()

    def claim(network: str, node_id: NodeId, candidates: Iterable[str]) -> str:
        return store.write(
            lambda tx: tx.claim_address(network, node_id, candidates), kind="address"
        )

    trials = CredentialTrials(
        clock, lambda endpoint: _log_in(hammers, endpoint), _StoredWaits(store)
    )
    call = shipped_calls(
        prove=trials.prove_endpoints, claim=claim, own_key=public_key_line(identity)
    )
    run_log = FileRunLog(data_dir / "runs")
    progress = Progress()
    templates = BootTemplates(shipped_path(Shipped.PXE), data_dir / BOOT_FILES)
    desk = BootDesk(store, clock, templates, settings.api_url, wake)
    around = Surroundings(store, clock, run_log, hammers, desk.services_for, wake, progress.show)
    executor = Executor(
        _jigs(folder, connections, call), around, report=lambda answer: annealer.take(answer)
    )
    dispatcher = LocalDispatcher(
        executor.carry_out, cancel=executor.cancel, workers=settings.worker_threads
    )
    limits = Limits(workers=settings.worker_threads, lease=timedelta(seconds=settings.lease_s))
    annealer = Annealer(store, dispatcher, clock, _owner(), limits)
    thread = AnnealerThread(annealer)
    scanner = RangeScanner(clock, settings.ipmi_port, settings.redfish_port)
    services = Services(
        store=store,
        clock=clock,
        wake=wake,
        run_log=run_log,
        catalog_of=lambda version: catalogs.of(store, version),
        check_files=check_texts,
        scans=Scans(store, scanner, clock),
        progress=progress,
        boot_desk=desk,
        boot_file=BootFiles(data_dir / BOOT_FILES).read,
        ssh_key=lambda: public_key_line(identity),
        is_annealing=thread.is_alive,
    )
    return Application(
        settings=settings,
        store=store,
        annealer=annealer,
        dispatcher=dispatcher,
        hammers=hammers,
        services=services,
        first_token=first_token,
        reconciler=Reconciler(store, clock),
        _thread=thread,
        _exits=exits.pop_all(),
    )


def _jigs(annotations: Path, connections: NodeConnections, call: CallJig) -> Mapping[str, Jig]:
    return {
        "noop": NoopJig(),
        "call": call,
        "script": ScriptJig(connections, annotations / "scripts"),
    }


def _log_in(hammers: BmcHammerRegistry, endpoint: BmcEndpoint) -> None:
    """The cheapest thing that a BMC does only for those whom it knows."""
    hammers.hammers((endpoint,)).pick(PowerControl).read_power()


@dataclass(frozen=True)
class _StoredWaits:
    """The waits of credential trials, as documents of the store."""

    store: SqlStore

    def read(self, address: str) -> datetime | None:
        found = self.store.read(lambda reader: reader.document("credential-wait", address))
        return datetime.fromisoformat(found["next_at"]) if found else None

    def put(self, address: str, at: datetime) -> None:
        value = {"next_at": at.isoformat()}
        self.store.write(
            lambda tx: tx.put_document("credential-wait", address, value), kind="credential-wait"
        )


def _owner() -> str:
    """This process's name in leases; new at every start, so that earlier ones are void."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


# -- the very first start --------------------------------------------------------------------------


def _prepare(
    store: SqlStore, annotations: Path, clock: SystemClock, data_dir: Path
) -> Secret | None:
    """Keep the annotations that are here; on the first start put them in force, and issue a token.
    Later ones take effect deployment by deployment, through a proposal."""
    files = AnnotationFiles.read(annotations)
    build_catalog(files)
    profiles, problems = load_profiles(annotations, declare_roles(files)[0])
    if problems:
        raise AnnotationsInvalid(problems)

    def prepare(tx: Transaction) -> Secret | None:
        tx.add_catalog(files.version, files.texts())
        if not tx.deployments():
            tx.add_deployment(SYSTEM, None, files.version)
            _add_profiles(tx, profiles)
        if has_tokens(tx):
            return None
        token = issue_token(tx, "admin", clock.now())
        # Before the commit: a process that dies in between must not take the only token with it.
        keep_token(data_dir, token)
        return token

    return store.write(prepare, kind="prepare")


def _add_profiles(tx: Transaction, profiles: Iterable[Profile]) -> None:
    for profile in profiles:
        for name, value in profile.values.items():
            tx.set_attribute(AttributeScope.PROFILE, 0, name, value, profile=profile.name)


# -- a server --------------------------------------------------------------------------------------


def serve(
    settings: Settings,
    *,
    say: Callable[[str], None],
    started: Callable[[], None] = lambda: None,
    log_stream: TextIO | None = None,
) -> None:
    """Serve API and annealer until SIGINT or SIGTERM. `say` is for the person at the terminal;
    `started` is called once requests are answered. Logs go to `log_stream`, else to stderr."""
    set_up_logging(settings.log_format, level=settings.log_level, stream=log_stream)
    allow_open_files()
    listening = server.listen(settings.api_host, settings.api_port)
    with closing(listening):
        application = build(settings)
        application.start()
        try:
            if application.first_token is not None:
                say(f"API token, shown this once: {application.first_token.reveal()}")
                say(f"It is also in {settings.data_dir / TOKEN_FILE}, for the CLI on this machine.")
            say(f"{settings.api_url}/docs")
            is_annealing = application.services.is_annealing
            server.serve(
                application.web_app(),
                listening,
                started=started,
                is_over=lambda: not is_annealing(),
            )
            if not is_annealing():
                raise AnnealerDied(
                    "the annealer died",
                    why="a defect in readystate; the log has the details",
                    hint="start again: nothing is lost; report it with the log's lines",
                )
        finally:
            application.stop()


def allow_open_files() -> None:
    """As many as the system lets us: a node has three kept connections, and 1,024 descriptors,
    the soft limit on most systems, are few."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def keep_token(data_dir: Path, token: Secret) -> None:
    """For the CLI of the same user on this machine."""
    path = data_dir / TOKEN_FILE
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{token.reveal()}\n")


def upgrade_database(settings: Settings) -> None:
    """Bring the schema up to this release's; idempotent."""
    settings.ensure_data_dir()
    migrations.upgrade(settings.database_url.reveal())
