"""The ssh server of one running simulated system: asyncssh on the machine's own loopback address.

It listens only while its system runs, so a machine that is off refuses connections as a real one
would be silent. Who may log in is what /root/.ssh/authorized_keys says at that moment."""

import asyncio
import functools
import threading
from collections.abc import Callable

import asyncssh

from readystate.lab.machines import programs
from readystate.lab.machines.running_system import Killed, Process, RunningSystem

AUTHORIZED_KEYS = "/root/.ssh/authorized_keys"
HOST_KEY = "/etc/ssh/ssh_host_ed25519_key"
#: Cheapest first in this implementation; a stock OpenSSH client knows all of them.
CIPHERS = ("aes128-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-gcm@openssh.com")
KEY_EXCHANGES = ("curve25519-sha256", "curve25519-sha256@libssh.org")


class SshServer:
    def __init__(self, system: RunningSystem, address: str, port: int) -> None:
        self.address = address
        self.port = port
        self.system = system
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._host_key = asyncssh.import_private_key(system.fs.read(HOST_KEY))

    @property
    def host_key_line(self) -> str:
        """The public host key as `ssh-ed25519 AAAA...`."""
        words = self._host_key.export_public_key("openssh").decode().split()
        return " ".join(words[:2])

    async def start(self) -> None:
        """Raises OSError when the address or port is not to be had."""
        listening = asyncio.ensure_future(self._listen())
        try:
            self._acceptor = await asyncio.shield(listening)
        except asyncio.CancelledError:
            # The power went while the socket was being opened: it must not outlive the machine.
            listening.add_done_callback(_close_acceptor)
            raise

    async def _listen(self) -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            self.address,
            self.port,
            server_factory=lambda: _Server(self),
            server_host_keys=[self._host_key],
            encryption_algs=CIPHERS,
            kex_algs=KEY_EXCHANGES,
            compression_algs=None,
            encoding=None,
            gss_host=None,
            allow_scp=False,
            agent_forwarding=False,
            x11_forwarding=False,
            config=[],
            backlog=16,
        )

    def close_now(self) -> None:
        """As a power cut: the listener and every connection are gone when this returns."""
        if self._acceptor is not None:
            self._acceptor.close()
            self._acceptor = None
        for connection in list(self._connections):
            connection.abort()
        self._connections.clear()

    def _may_log_in(self, username: str, key: asyncssh.SSHKey) -> bool:
        offered = key.export_public_key("openssh").decode().split()[1]
        try:
            accepted = self.system.fs.read_text(AUTHORIZED_KEYS)
        except FileNotFoundError:
            return False
        return username == "root" and offered in accepted.split()


def _close_acceptor(listening: "asyncio.Future[asyncssh.SSHAcceptor]") -> None:
    if not listening.cancelled() and listening.exception() is None:
        listening.result().close()


class _Server(asyncssh.SSHServer):
    def __init__(self, owner: SshServer) -> None:
        self._owner = owner
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._owner._connections.add(conn)

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._connection is not None:
            self._owner._connections.discard(self._connection)

    def begin_auth(self, _username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return self._owner._may_log_in(username, key)

    def session_requested(self) -> "_ExecSession":
        return _ExecSession(self._owner.system)


class _ExecSession(asyncssh.SSHServerSession[bytes]):
    """One `exec` request. Programs that cannot sleep run here; the others in their own thread."""

    def __init__(self, system: RunningSystem) -> None:
        self._system = system
        self._loop = asyncio.get_running_loop()
        self._argv: list[str] = []
        self._stdin = bytearray()
        self._process: Process | None = None
        self._is_over = False

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self._channel = chan

    def shell_requested(self) -> bool:
        return False  # there is none

    def exec_requested(self, command: str) -> bool:
        try:
            self._argv = programs.split_command(command)
        except ValueError:
            return False
        return True

    def session_started(self) -> None:
        if not programs.reads_input(self._argv):
            self._begin()

    def data_received(self, data: bytes, _datatype: asyncssh.DataType) -> None:
        if self._process is None:
            self._stdin += data

    def eof_received(self) -> bool:
        if self._process is None:
            self._begin()
        return True  # the channel stays open for the output

    def signal_received(self, signal: str) -> None:
        if self._process is not None:
            self._process.killed.set()
            if not self._is_over:
                self._is_over = True
                self._channel.exit_with_signal(signal)

    def connection_lost(self, _exc: Exception | None) -> None:
        # As with sshd, a program whose channel is gone runs on; its output goes nowhere.
        self._is_over = True

    def _begin(self) -> None:
        in_thread = programs.may_sleep(self._argv, bytes(self._stdin))
        out, err = self._channel.write, self._channel.write_stderr
        self._process = self._system.start_process(
            self._argv,
            bytes(self._stdin),
            self._from_thread(out) if in_thread else out,
            self._from_thread(err) if in_thread else err,
        )
        if not in_thread:
            self._run(self._process, self._end)
            return
        arguments = (self._process, functools.partial(self._call_in_loop, self._end))
        threading.Thread(target=self._run, args=arguments, daemon=True, name="lab-program").start()

    def _from_thread(self, write: Callable[[bytes], None]) -> Callable[[bytes], None]:
        return lambda data: self._call_in_loop(self._write, write, data)

    def _call_in_loop(self, function: Callable[..., None], *arguments: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *arguments)

    def _write(self, write: Callable[[bytes], None], data: bytes) -> None:
        if not self._is_over:
            write(data)

    def _run(self, process: Process, end: Callable[[int | None], None]) -> None:
        try:
            status = programs.run_program(self._system, process)
        except Killed:
            end(None)
        else:
            end(status)

    def _end(self, status: int | None) -> None:
        """Close the channel with the exit status, or None for a killed program."""
        if self._is_over:
            return
        self._is_over = True
        if status is None:
            self._channel.exit_with_signal("KILL")
        else:
            self._channel.exit(status)
