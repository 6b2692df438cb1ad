"""Kept ssh connections to nodes, in one event loop of their own in a background thread.

A handshake costs more than all else that a small script does, so a connection stays open for a
while after its use; there are never more than `limit` of them. A host key is learned at the first
connection to a node without one, and from then on nothing else is accepted."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

import asyncssh

from readystate.domain.errors import Busy, Invalid, Refused, Unreachable, Unsupported, WorkError
from readystate.domain.ids import NodeId
from readystate.ports.jig import NodeView

IDLE_S = 60.0
LIMIT = 512
CONNECT_TIMEOUT_S = 10.0
LOGIN_TIMEOUT_S = 20.0
KEEPALIVE_S = 15.0  #: three silent ones and a connection is lost, long before TCP would say so
#: Cheapest first for this library; every OpenSSH since 6.5 has one of each.
CIPHERS = ("aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr")
KEY_EXCHANGES = ("curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256")
HOST_KEY_KINDS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256")

T = TypeVar("T")


@dataclass
class Connection:
    """One open connection, and the host key that the node proved on it."""

    ssh: asyncssh.SSHClientConnection
    address: tuple[str, int]
    host_key: str
    users: int = 0
    last_used_at: float = 0.0  #: loop time
    boot_id: str | None = None  #: as last told over this connection
    is_fresh: bool = True  #: no command has run on it yet

    def suits(self, node: NodeView) -> bool:
        is_same = self.address == (node.admin_address, node.ssh_port)
        is_pinned = node.ssh_host_key is None or _same_key(node.ssh_host_key, self.host_key)
        return is_same and is_pinned and not self.ssh.is_closed()


@dataclass
class _Guard(asyncssh.SSHClient):
    """Decides about the host key of one connection."""

    pinned: str | None
    seen: str = ""

    def validate_host_public_key(
        self, _host: str, _addr: str, _port: int, key: asyncssh.SSHKey
    ) -> bool:
        self.seen = " ".join(key.export_public_key("openssh").decode().split()[:2])
        return self.pinned is None or _same_key(self.pinned, self.seen)


@dataclass
class NodeConnections:
    identity: asyncssh.SSHKey
    user: str = "root"
    idle_s: float = IDLE_S
    limit: int = LIMIT
    _kept: dict[NodeId, Connection] = field(default_factory=dict)
    _locks: dict[NodeId, asyncio.Lock] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop | None = None
    _thread: threading.Thread | None = None
    _starting: threading.Lock = field(default_factory=threading.Lock)
    _options: asyncssh.SSHClientConnectionOptions | None = None

    # -- the thread ------------------------------------------------------------------------------

    def submit(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Run in the background loop; from any thread."""
        return asyncio.run_coroutine_threadsafe(work, self._running_loop())

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._loop.run_forever, name="ssh-connections", daemon=True
                )
                self._thread.start()
                asyncio.run_coroutine_threadsafe(self._sweep_forever(), self._loop)
            return self._loop

    def close(self) -> None:
        """End of the process: close every connection, end the thread."""
        with self._starting:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._close_all(), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)
        loop.close()

    async def _close_all(self) -> None:
        for connection in self._kept.values():
            connection.ssh.abort()
        self._kept.clear()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _sweep_forever(self) -> None:
        while True:
            await asyncio.sleep(self.idle_s / 4)
            now = asyncio.get_running_loop().time()
            for node_id, connection in list(self._kept.items()):
                is_idle = connection.users == 0 and now - connection.last_used_at >= self.idle_s
                if is_idle or connection.ssh.is_closed():
                    self._forget(node_id)

    # -- for coroutines in the loop --------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def use(self, node: NodeView) -> Any:
        """A connection to the node, kept afterwards. Raises WorkError."""
        connection = await self._get(node)
        connection.users += 1
        try:
            yield connection
        finally:
            connection.users -= 1
            connection.last_used_at = asyncio.get_running_loop().time()

    def drop(self, node: NodeView) -> None:
        """Not to be used again, whatever it still carries."""
        self._forget(node.id)

    async def _get(self, node: NodeView) -> Connection:
        async with self._locks.setdefault(node.id, asyncio.Lock()):
            kept = self._kept.get(node.id)
            if kept is not None and kept.suits(node):
                return kept
            self._forget(node.id)
            self._make_room()
            connection = await self._connect(node)
            self._kept[node.id] = connection
            return connection

    def _forget(self, node_id: NodeId) -> None:
        connection = self._kept.pop(node_id, None)
        if connection is not None:
            connection.ssh.abort()

    def _make_room(self) -> None:
        """Close the longest idle connections when there are too many; those in use stay."""
        excess = len(self._kept) - self.limit + 1
        if excess > 0:
            idle = [(item.last_used_at, key) for key, item in self._kept.items() if not item.users]
            for _, node_id in sorted(idle)[:excess]:
                self._forget(node_id)
                self._locks.pop(node_id, None)

    async def _connect(self, node: NodeView) -> Connection:
        if node.admin_address is None:
            raise Invalid(f"{node.name} has no admin address", why="ssh needs one to connect to")
        guard = _Guard(node.ssh_host_key)
        kinds = [node.ssh_host_key.split()[0]] if node.ssh_host_key else list(HOST_KEY_KINDS)
        if kinds == ["ssh-rsa"]:
            kinds = ["rsa-sha2-512", "rsa-sha2-256"]
        try:
            ssh = await asyncssh.connect(
                node.admin_address,
                node.ssh_port,
                client_factory=lambda: guard,
                server_host_key_algs=kinds,
                options=self._shared_options(),
            )
        except (OSError, asyncssh.Error) as error:
            raise translate(error, node, guard.seen) from error
        now = asyncio.get_running_loop().time()
        address = (node.admin_address, node.ssh_port)
        return Connection(ssh, address, guard.seen, last_used_at=now)

    def _shared_options(self) -> asyncssh.SSHClientConnectionOptions:
        if self._options is None:
            self._options = asyncssh.SSHClientConnectionOptions(
                username=self.user,
                client_keys=[self.identity],
                known_hosts=([], [], []),  # none is known by itself: the guard is asked
                preferred_auth="publickey",
                agent_path=None,
                gss_host=None,
                config=[],
                encryption_algs=CIPHERS,
                kex_algs=KEY_EXCHANGES,
                compression_algs=None,
                connect_timeout=CONNECT_TIMEOUT_S,
                login_timeout=LOGIN_TIMEOUT_S,
                keepalive_interval=KEEPALIVE_S,
            )
        return self._options


def _same_key(left: str, right: str) -> bool:
    """Public key lines are equal but for their comment."""
    return left.split()[:2] == right.split()[:2]


#: First match wins: the library's error, our family, what to say, what to do.
ERRORS: tuple[tuple[type[Exception], type[WorkError], str, str], ...] = (
    (asyncssh.PermissionDenied, Refused, "ssh refused our key",
     "see that our public key is in the node's authorized_keys"),
    (asyncssh.HostKeyNotVerifiable, Refused, "the ssh host key is not the pinned one",
     "if the node was reinstalled by someone else, reinstall it or clear its pinned host key"),
    (asyncssh.KeyExchangeFailed, Unsupported, "no ssh algorithm in common", ""),
    (asyncssh.ProtocolNotSupported, Unsupported, "not an ssh 2 server", ""),
    (asyncssh.ChannelOpenError, Busy, "ssh opened no session", "see MaxSessions of its sshd"),
    (ConnectionRefusedError, Unreachable, "nothing listens for ssh", ""),
    (TimeoutError, Unreachable, "ssh did not answer in time", ""),
    (asyncssh.Error, Unreachable, "the ssh connection broke", ""),
    (OSError, Unreachable, "ssh cannot reach it", ""),
)  # fmt: skip


def translate(error: Exception, node: NodeView, seen_key: str = "") -> WorkError:
    """The house error for one of asyncssh's or the network's, naming node and address."""
    where = f"{node.name} ({node.admin_address}:{node.ssh_port})"
    for kind, family, what, hint in ERRORS:
        if isinstance(error, kind):
            why = str(error) or type(error).__name__
            if isinstance(error, asyncssh.HostKeyNotVerifiable) and seen_key:
                shown, pinned = _fingerprint(seen_key), _fingerprint(node.ssh_host_key)
                why = f"it shows {shown}, pinned is {pinned}"
            return family(f"{where}: {what}", why=why, hint=hint)
    raise error


def _fingerprint(line: str | None) -> str:
    if not line:
        return "none"
    try:
        return asyncssh.import_public_key(line).get_fingerprint()
    except asyncssh.KeyImportError:
        return "not a key"
