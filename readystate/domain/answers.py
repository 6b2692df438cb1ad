"""What a run's answer does to its node-role (design.md section 4.3): the error family decides.

Every function here changes the working set only; whoever calls it lets `settling` run afterwards
on the ids that it returns."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from readystate.domain.errors import Failed, Invalid, OutcomeUnknown, WorkError
from readystate.domain.graph import GIVEN, Graph, Hold, HoldScope
from readystate.domain.ids import NodeRoleId
from readystate.domain.node_role import LastError, NodeRole, Verb
from readystate.domain.outcome import Errored, NotDone, Outcome, Pending, Staged, Succeeded
from readystate.domain.role import Epoch, Reboot, Role
from readystate.domain.run import Run, RunKind, RunPhase, StopReason
from readystate.domain.settling import move_epochs

#: Pauses between two looks at a side effect that is not over yet.
VERIFY_AGAIN_S = 2.0
STOP_AGAIN_S = 15.0

#: Families that are never retried, whoever reports them.
_AT_ONCE = frozenset({"refused", "unsupported", "invalid", "outcome-unknown"})


def record_effect(graph: Graph, run: Run, now: datetime) -> list[NodeRoleId]:
    """The irreversible act begins: point of no return, confirmation spent, epochs moved. Once."""
    if run.effect_recorded:
        return []
    graph.put_run(replace(run, effect_recorded=True))
    if run.node_role_id is None:
        return _moved(graph, run, frozenset({Epoch.REBOOT}), now)
    node_role = graph.node_roles[run.node_role_id]
    graph.put(replace(node_role, confirmation=None))
    return [node_role.id, *_moved(graph, run, _own_epochs(graph.role_of(node_role)), now)]


def _own_epochs(role: Role) -> frozenset[Epoch]:
    """A staged change reboots nothing itself: the node's power cycle does, and counts it."""
    if role.reboot is Reboot.SHARED:
        return role.raises - {Epoch.REBOOT}
    return role.raises


def _moved(graph: Graph, run: Run, epochs: frozenset[Epoch], now: datetime) -> list[NodeRoleId]:
    return [] if run.node_id is None else move_epochs(graph, run.node_id, epochs, now)


def take_answer(
    graph: Graph,
    run: Run,
    answer: Outcome | NotDone,
    now: datetime,
    *,
    outputs: str = "{}",
) -> list[NodeRoleId]:
    """Move `run` and its node-role on. `outputs` is the checked JSON text of a success."""
    if run.kind is not RunKind.ROLE:
        return _take_node_action(graph, run, answer, now)
    if run.node_role_id is None:
        raise LookupError(f"run {run.id} of a role has no node-role")
    node_role = graph.node_roles[run.node_role_id]
    if run.phase is RunPhase.STOPPING:
        return _take_stop(graph, run, node_role, answer, now, outputs)
    match answer:
        case Succeeded():
            return _succeed(graph, run, node_role, now, outputs)
        case Staged():
            role = graph.role_of(node_role)
            if role.reboot is not Reboot.SHARED or run.phase is not RunPhase.RUNNING:
                wrong = Invalid(f"{role.name} staged a change", why="it is not `reboot: shared`")
                return _fail_or_defer(graph, run, node_role, wrong, now)
            graph.put_run(replace(run, phase=RunPhase.STAGED, lease_until=None, owner=None))
            return [node_role.id]
        case Pending(wake=wake, deadline_s=deadline_s):
            deadline = run.wake_deadline or now + timedelta(seconds=deadline_s)
            waiting = replace(
                run,
                phase=RunPhase.PENDING,
                lease_until=None,
                owner=None,
                wake=wake,
                wake_deadline=deadline,
            )
            graph.put_run(waiting)
            _forget_wake(graph, run)
            return [node_role.id]
        case NotDone(reason=reason):
            error: WorkError = Failed(f"{node_role.role}: not in place", why=reason)
            return _fail_or_defer(graph, run, node_role, error, now)
        case Errored(error=error):
            if run.phase is RunPhase.VERIFYING and _may_verify_later(graph, node_role, error, now):
                later = now + timedelta(seconds=VERIFY_AGAIN_S)
                graph.put_run(
                    replace(
                        run,
                        phase=RunPhase.VERIFY,
                        lease_until=None,
                        owner=None,
                        not_before=later,
                    )
                )
                return [node_role.id]
            return _fail_or_defer(graph, run, node_role, error, now)


def _may_verify_later(graph: Graph, node_role: NodeRole, error: WorkError, now: datetime) -> bool:
    """After a power cycle a BMC takes its time to apply what was staged: not yet is not no."""
    started = node_role.first_started_at or now
    deadline = started + timedelta(seconds=graph.role_of(node_role).deadline_s)
    return error.family in ("busy", "unreachable") and now < deadline


def _close(graph: Graph, run: Run) -> None:
    graph.put_run(replace(run, phase=RunPhase.DONE, lease_until=None, owner=None))
    _forget_wake(graph, run)


def _forget_wake(graph: Graph, run: Run) -> None:
    if graph.given_wakes.pop(run.id, None) is not None:
        graph.consumed_wakes.append((run.id, GIVEN))


def _succeed(
    graph: Graph, run: Run, node_role: NodeRole, now: datetime, outputs: str
) -> list[NodeRoleId]:
    _close(graph, run)
    done = node_role.after(
        Verb.SUCCEED,
        now,
        digest=run.digest,
        outputs=outputs,
        error=None,
        run_id=None,
        confirmation=None,
        is_stale=node_role.unmet > 0,
    )
    graph.put(done)
    graph.touched.add(done.id)
    return [done.id]


def _fail_or_defer(
    graph: Graph, run: Run, node_role: NodeRole, error: WorkError, now: datetime
) -> list[NodeRoleId]:
    """Error or another try, by family, attempts and deadline. Past the point of no return there is
    no other try."""
    role = graph.role_of(node_role)
    _close(graph, run)
    last = _last_error(node_role, error, now)
    attempts = node_role.attempts + (error.family == Failed.family)
    not_before = now + timedelta(seconds=backoff_s(role, node_role.deferrals))
    started = node_role.first_started_at or now
    is_final = (
        (role.is_destructive and run.effect_recorded)
        or error.family in _AT_ONCE
        or attempts >= role.retry.attempts
        or not_before > started + timedelta(seconds=role.deadline_s)
    )
    if is_final:
        graph.put(
            node_role.after(
                Verb.FAIL, now, error=last, attempts=attempts, digest=run.digest, run_id=None
            )
        )
    else:
        _put_off(graph, node_role, Verb.DEFER, now, attempts, not_before, last)
    return [node_role.id]


def _put_off(
    graph: Graph,
    node_role: NodeRole,
    verb: Verb,
    now: datetime,
    attempts: int,
    not_before: datetime | None,
    last: LastError | None,
) -> None:
    graph.put(
        node_role.after(
            verb,
            now,
            error=last,
            attempts=attempts,
            deferrals=node_role.deferrals + 1,
            not_before=not_before,
            run_id=None,
        )
    )


def backoff_s(role: Role, deferrals: int) -> float:
    """How long to wait after this many earlier deferrals; the last interval repeats."""
    table = role.retry.backoff_s
    return table[min(deferrals, len(table) - 1)]


def _last_error(node_role: NodeRole, error: WorkError, now: datetime) -> LastError:
    before = node_role.error
    since = before.since if before is not None and before.family == error.family else now
    message = str(error) + (f" ({error.hint})" if error.hint else "")
    return LastError(error.family, message, now, since)


# -- runs that must end ----------------------------------------------------------------------------


def begin_stop(graph: Graph, run: Run, reason: StopReason, *, by: str = "") -> Run:
    """Ask a worker to end what the run may still be doing. Its lanes stay taken until then, and
    what the worker that has it still says is not the answer to that."""
    return graph.put_run(
        replace(
            run,
            phase=RunPhase.STOPPING,
            dispatch=run.dispatch + 1,
            stop_reason=reason,
            by=by,
            lease_until=None,
            owner=None,
        )
    )


def cancel_staged(graph: Graph, run: Run, now: datetime, *, by: str) -> list[NodeRoleId]:
    """Nothing runs while work is staged, so there is nothing to wait for."""
    if run.node_role_id is None:
        return []
    _close(graph, run)
    node_role = graph.put(graph.node_roles[run.node_role_id].after(Verb.CANCEL, now, run_id=None))
    _hold_cancelled(graph, replace(run, by=by), node_role, now)
    return [node_role.id]


def _take_stop(
    graph: Graph,
    run: Run,
    node_role: NodeRole,
    answer: Outcome | NotDone,
    now: datetime,
    outputs: str,
) -> list[NodeRoleId]:
    """The side effect has stopped if `answer` is what `check` may say of it; else asked again."""
    if not isinstance(answer, Succeeded | NotDone):
        _stop_again(graph, run, now)
        error = answer.error if isinstance(answer, Errored) else Invalid("that is no stop's answer")
        graph.put(replace(node_role, error=_last_error(node_role, error, now)))
        return [node_role.id]
    if isinstance(answer, Succeeded):
        return _succeed(graph, run, node_role, now, outputs)
    past = graph.role_of(node_role).is_destructive and run.effect_recorded
    if run.stop_reason is StopReason.CANCELLED:
        _close(graph, run)
        graph.put(node_role.after(Verb.CANCEL, now, run_id=None))
        _hold_cancelled(graph, run, node_role, now)
        return [node_role.id]
    if past:
        unknown = OutcomeUnknown(
            f"{node_role.role} was cut after its point of no return", why=answer.reason
        )
        return _fail_or_defer(graph, run, node_role, unknown, now)
    if run.stop_reason is StopReason.OVERDUE:
        late = Failed(f"{node_role.role} did not finish in time", why=f"waited for {run.wake}")
        return _fail_or_defer(graph, run, node_role, late, now)
    role = graph.role_of(node_role)
    lost = Failed(f"{node_role.role}: its worker was lost")
    if node_role.attempts + 1 >= role.retry.attempts:
        return _fail_or_defer(graph, run, node_role, lost, now)
    _close(graph, run)
    last = _last_error(node_role, lost, now)
    _put_off(graph, node_role, Verb.RELEASE, now, node_role.attempts + 1, None, last)
    return [node_role.id]


def _stop_again(graph: Graph, run: Run, now: datetime) -> None:
    """No worker has it until then, so that an answer which comes twice finds nobody."""
    later = now + timedelta(seconds=STOP_AGAIN_S)
    graph.put_run(
        replace(run, dispatch=run.dispatch + 1, lease_until=None, owner=None, not_before=later)
    )


def _hold_cancelled(graph: Graph, run: Run, node_role: NodeRole, now: datetime) -> None:
    hold = Hold(HoldScope.NODE_ROLE, node_role.id, run.by or "operator", now, "cancelled")
    graph.holds[HoldScope.NODE_ROLE, node_role.id] = hold
    graph.new_holds.append(hold)


# -- node actions ----------------------------------------------------------------------------------


def _take_node_action(
    graph: Graph, run: Run, answer: Outcome | NotDone, now: datetime
) -> list[NodeRoleId]:
    if run.phase is RunPhase.STOPPING and not isinstance(answer, Succeeded | NotDone):
        _stop_again(graph, run, now)
        return []
    _close(graph, run)
    if run.kind is not RunKind.CYCLE or run.node_id is None:
        return []
    staged = [item for item in graph.open_runs(run.node_id) if item.phase is RunPhase.STAGED]
    if isinstance(answer, Succeeded):
        for item in staged:
            graph.put_run(replace(item, phase=RunPhase.VERIFY))
        return [item.node_role_id for item in staged if item.node_role_id is not None]
    if isinstance(answer, Errored):
        return list(_fail_staged(graph, staged, answer.error, now))
    cause = Failed("the power cycle for staged work was cut")
    if run.stop_reason is StopReason.LOST:
        return list(_keep_staged(graph, staged, cause, now))
    return list(_fail_staged(graph, staged, cause, now))


def _keep_staged(
    graph: Graph, staged: Iterable[Run], cause: WorkError, now: datetime
) -> Iterable[NodeRoleId]:
    """The cycle's worker was lost: what is staged still is, or has taken effect, and a second cycle
    does it no harm. A lost lease counts as an attempt all the same."""
    for run in staged:
        if run.node_role_id is None:
            continue
        node_role = graph.node_roles[run.node_role_id]
        if node_role.attempts + 1 >= graph.role_of(node_role).retry.attempts:
            yield from _fail_or_defer(graph, run, node_role, cause, now)
        else:
            graph.put(replace(node_role, attempts=node_role.attempts + 1))
            yield node_role.id


def _fail_staged(
    graph: Graph, staged: Iterable[Run], cause: WorkError, now: datetime
) -> Iterable[NodeRoleId]:
    """A failed cycle counts as an attempt of each staged role, whatever its family."""
    for run in staged:
        if run.node_role_id is None:
            continue
        node_role = graph.node_roles[run.node_role_id]
        if cause.family != Failed.family:
            node_role = graph.put(replace(node_role, attempts=node_role.attempts + 1))
        yield from _fail_or_defer(graph, run, node_role, cause, now)
