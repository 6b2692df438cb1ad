"""The script jig itself: carry a script to its node, follow it, end it when told to."""

import asyncio
import queue
import time
from concurrent.futures import CancelledError, Future, wait
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

from readystate.adapters.jigs.script.connections import Connection, NodeConnections, translate
from readystate.adapters.jigs.script.identity import origin_of
from readystate.adapters.jigs.script.wire import (
    Action,
    Answer,
    BadAnswer,
    parse_answer,
    render_document,
    run_command,
    run_marker,
    stop_command,
)
from readystate.domain.errors import Failed, Invalid, Stopped, Unreachable, WorkError
from readystate.domain.ids import NodeRoleId
from readystate.domain.outcome import CheckOutcome, Errored, NotDone, Outcome, Succeeded
from readystate.ports.jig import NodeView, RunContext, Ticket

TIMEOUT_S = 600.0
POLL_S = 0.2  #: how often a running script is asked about being cancelled
KILL_TIMEOUT_S = 30.0
STOP_ROUNDS = 5
MAX_ANSWER_BYTES = 1024 * 1024
MAX_LINE_CHARACTERS = 2000
MAX_LOG_LINES = 5000
TAIL_LINES = 8  #: of stderr, quoted when a script fails


@dataclass(frozen=True)
class _Learned:
    host_key: str


@dataclass(frozen=True)
class _Ended:
    status: int | None  #: exit status; None when a signal or the network ended it
    signal: str | None
    is_too_long: bool
    stdout: bytes
    connection: Connection


_Mail = str | _Learned  # a log line, or a fact to remember


class _ScriptSession(asyncssh.SSHClientSession[bytes]):
    """Collects one command's output; standard error goes out line by line as it comes."""

    def __init__(self, mailbox: "queue.SimpleQueue[_Mail | None]") -> None:
        self.ended = asyncio.get_running_loop().create_future()
        self.stdout = bytearray()
        self.is_too_long = False
        self._mailbox = mailbox
        self._line = bytearray()

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        if datatype is None:
            self.is_too_long |= len(self.stdout) + len(data) > MAX_ANSWER_BYTES
            if not self.is_too_long:
                self.stdout += data
            return
        *lines, rest = (bytes(self._line) + data).split(b"\n")
        self._line = bytearray(rest[-MAX_LINE_CHARACTERS:])
        for line in lines:
            self._post(line)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._line:
            self._post(bytes(self._line))
        if not self.ended.done():
            self.ended.set_result(exc)

    def _post(self, line: bytes) -> None:
        self._mailbox.put(line.decode("utf-8", "replace").rstrip()[:MAX_LINE_CHARACTERS])


@dataclass
class _Conversation:
    """One command on one node: begun in the loop, followed from the worker's thread."""

    node: NodeView
    command: str
    stdin: bytes
    connections: NodeConnections
    mailbox: "queue.SimpleQueue[_Mail | None]" = field(default_factory=queue.SimpleQueue)

    def start(self) -> "Future[_Ended]":
        future = self.connections.submit(self._run())
        future.add_done_callback(lambda _: self.mailbox.put(None))
        return future

    async def _run(self) -> _Ended:
        try:
            return await self._run_on_connection()
        except _StaleConnection:
            # The kept connection had died unnoticed, and nothing has run over it.
            self.connections.drop(self.node)
            return await self._run_on_connection()

    async def _run_on_connection(self) -> _Ended:
        async with self.connections.use(self.node) as connection:
            if self.node.ssh_host_key is None:
                self.mailbox.put(_Learned(connection.host_key))
            was_fresh, connection.is_fresh = connection.is_fresh, False
            try:
                channel, session = await connection.ssh.create_session(
                    lambda: _ScriptSession(self.mailbox), self.command, encoding=None
                )
            except (asyncssh.Error, OSError) as error:
                if not was_fresh and not isinstance(error, asyncssh.ChannelOpenError):
                    raise _StaleConnection from error
                if not was_fresh and connection.ssh.is_closed():
                    raise _StaleConnection from error
                raise translate(error, self.node) from error
            channel.write(self.stdin)
            channel.write_eof()
            lost = await session.ended
            signal = channel.get_exit_signal()
            status = channel.get_exit_status()
            if signal is None and (lost is not None or status is None):
                self.connections.drop(self.node)
                raise Unreachable(
                    f"{self.node.name}: the ssh connection broke while a script ran",
                    why=str(lost or "no exit status came"),
                )
            return _Ended(
                status=status if signal is None else None,
                signal=signal[0] if signal else None,
                is_too_long=session.is_too_long,
                stdout=bytes(session.stdout),
                connection=connection,
            )


class _StaleConnection(Exception):
    """A kept connection turned out to be dead before anything was sent."""


@dataclass
class ScriptJig:
    """`scripts` is the folder of `<name>.py`; `timeout_s` bounds each run beside its deadline."""

    connections: NodeConnections
    scripts: Path
    timeout_s: float = TIMEOUT_S
    _broken: set[NodeRoleId] = field(default_factory=set)  #: may still run on their nodes

    def run(self, ticket: Ticket, context: RunContext) -> Outcome:
        try:
            answer = self._carry_out(ticket, context, Action.RUN)
        except WorkError as error:
            return Errored(error)
        return Succeeded(answer.outputs)

    def check(self, ticket: Ticket, context: RunContext) -> CheckOutcome:
        try:
            answer = self._carry_out(ticket, context, Action.CHECK)
        except WorkError as error:
            return Errored(error)
        return Succeeded(answer.outputs) if answer.is_done else NotDone(answer.reason)

    def stop(self, ticket: Ticket, context: RunContext) -> None:  # noqa: ARG002 the port
        """Kill what earlier attempts left running on the node, and read back that it is gone.

        Raises Unreachable and its kin when that cannot be known."""
        node = _node_of(ticket)
        for _ in range(STOP_ROUNDS):
            if self._kill_all(ticket.node_role_id, node) == 0:
                self._broken.discard(ticket.node_role_id)
                return
            time.sleep(POLL_S)
        raise Failed(f"{node.name}: processes of {ticket.role} cannot be killed")

    def close(self) -> None:
        self.connections.close()

    def _marker(self, node_role_id: NodeRoleId) -> str:
        return run_marker(origin_of(self.connections.identity), node_role_id)

    # -- one run ---------------------------------------------------------------------------------

    def _carry_out(self, ticket: Ticket, context: RunContext, action: Action) -> Answer:
        node = _node_of(ticket)
        name, script = self._load(ticket)
        if ticket.node_role_id in self._broken:
            self.stop(ticket, context)
        secrets = {key: value.reveal() for key, value in ticket.secrets.items()}
        given = {**ticket.input, **secrets}
        document = render_document(name=name, script=script, action=action, given=given)
        command = run_command(self._marker(ticket.node_role_id), ticket.fence)
        talk = _Conversation(node, command, document, self.connections)
        follower = _Follower(context, tuple(value for value in secrets.values() if value))
        try:
            ended = self._follow(talk, ticket, context, follower)
        except Unreachable:
            self._broken.add(ticket.node_role_id)
            raise
        return self._judge(name, ended, action, context, follower)

    def _load(self, ticket: Ticket) -> tuple[str, str]:
        name = ticket.argument.removesuffix(".py")
        path = self.scripts / f"{name}.py"
        try:
            return name, path.read_text("utf-8")
        except FileNotFoundError as error:
            hint = "correct `script:` in the role's annotation"
            raise Invalid(f"{ticket.role}: no script {path}", hint=hint) from error

    def _follow(
        self, talk: _Conversation, ticket: Ticket, context: RunContext, follower: "_Follower"
    ) -> _Ended:
        """Until the script ends, is cancelled (raises Stopped) or takes too long (Failed)."""
        timeout_s = min(self.timeout_s, ticket.deadline_s)
        context.check_stopped()
        started_at = asked_at = time.monotonic()
        future = talk.start()
        try:
            while not follower.take(talk.mailbox, POLL_S):
                now = time.monotonic()
                if now - asked_at >= POLL_S:  # not for each of a thousand log lines
                    asked_at = now
                    context.check_stopped()
                if now - started_at >= timeout_s:
                    raise Failed(
                        f"{talk.node.name}: {ticket.argument} took longer than {timeout_s:g} s",
                        why=follower.tail(),
                    )
        except BaseException:  # whatever ends our following must end the script
            self._end_early(future, ticket, talk.node)
            raise
        try:
            return future.result()
        except CancelledError as error:
            raise Stopped(f"{ticket.argument}: our ssh connections were closed") from error

    def _end_early(self, future: "Future[_Ended]", ticket: Ticket, node: NodeView) -> None:
        """Kill the script on the node. Not by a signal over ssh (RFC 4254, 6.9): OpenSSH passes
        none on to a session of root (session_signal_req: it needs privilege separation)."""
        try:
            for _ in range(STOP_ROUNDS):
                self._kill_all(ticket.node_role_id, node)
                if wait([future], timeout=POLL_S).done:
                    return
        except WorkError:
            pass  # we could not even ask: as below
        future.cancel()
        self._broken.add(ticket.node_role_id)  # may still run: the next attempt stops it first

    def _kill_all(self, node_role_id: NodeRoleId, node: NodeView) -> int:
        """How many processes of this node-role's runs were found, and killed. Raises WorkError."""
        marker = self._marker(node_role_id).encode()
        future = _Conversation(node, stop_command(), marker, self.connections).start()
        try:
            ended = future.result(KILL_TIMEOUT_S)
        except TimeoutError as error:
            future.cancel()
            raise Unreachable(f"{node.name}: no answer when asked to kill a script") from error
        try:
            return int(ended.stdout)
        except ValueError as error:
            said = ended.stdout[:200].decode("utf-8", "replace")
            raise Failed(f"{node.name}: cannot look for running scripts", why=said) from error

    def _judge(
        self,
        name: str,
        ended: _Ended,
        action: Action,
        context: RunContext,
        follower: "_Follower",
    ) -> Answer:
        if ended.status != 0:
            how = f"signal {ended.signal}" if ended.signal else f"exit status {ended.status}"
            raise Failed(f"{name} ended with {how}", why=follower.tail())
        if ended.is_too_long:
            raise Failed(f"{name} answered more than {MAX_ANSWER_BYTES} bytes")
        try:
            answer = parse_answer(ended.stdout, action)
        except BadAnswer as error:
            raise Failed(
                f"{name} did not answer as it should",
                why=follower.hide(str(error)),
                hint="a script prints one JSON object and nothing else; its log goes to stderr",
            ) from error
        if answer.boot_id is not None and answer.boot_id != ended.connection.boot_id:
            ended.connection.boot_id = answer.boot_id
            context.remember({"boot_id": answer.boot_id})
        return answer


@dataclass
class _Follower:
    """Takes a conversation's mail in the worker's thread, where the run's context lives."""

    context: RunContext
    secrets: tuple[str, ...]
    _tail: list[str] = field(default_factory=list)
    _count: int = 0

    def take(self, mailbox: "queue.SimpleQueue[_Mail | None]", wait_s: float) -> bool:
        """Handle what has come; True when the conversation is over."""
        try:
            mail = mailbox.get(timeout=wait_s)
        except queue.Empty:
            return False
        match mail:
            case None:
                return True
            case _Learned(host_key=host_key):
                self.context.remember({"ssh_host_key": host_key})
            case line:
                self._note(self.hide(line))
        return False

    def _note(self, line: str) -> None:
        self._tail = [*self._tail[-TAIL_LINES + 1 :], line]
        self._count += 1
        if self._count <= MAX_LOG_LINES:
            self.context.log(line)
        elif self._count == MAX_LOG_LINES + 1:
            self.context.log(f"(more than {MAX_LOG_LINES} lines: the rest is not kept)")

    def hide(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text

    def tail(self) -> str:
        return " | ".join(line for line in self._tail if line)


def _node_of(ticket: Ticket) -> NodeView:
    if ticket.node is None:
        raise Invalid(f"{ticket.role} has no node", why="a script runs on a node, over ssh")
    return ticket.node
