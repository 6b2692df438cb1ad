"""Clauses of design.md section 4.2 to 4.4, each with an edit that drops it from the rules.

`make mutate` applies them one at a time and wants a test to fail for each. An edit replaces a text
that stands exactly once in its file; `tests/house/test_mutants.py` says when one no longer does."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    name: str
    clause: str  #: of design.md, in its words
    file: str  #: below readystate/
    old: str
    new: str


def _mutants(file: str, *told: tuple[str, str, str, str]) -> tuple[Mutant, ...]:
    return tuple(Mutant(name, clause, file, old, new) for name, clause, old, new in told)


MUTANTS: tuple[Mutant, ...] = (
    *_mutants(
        "domain/node_role.py",
        (
            "no-new-history",
            "Retry, rerun, reconsider and resume reset attempts and first start",
            "        if verb in _RESETS:",
            "        if verb is Verb.COMMIT:",
        ),
        (
            "stale-is-settled",
            "Settled = active or skipped, and not stale",
            "        ) and not self.is_stale",
            "        )",
        ),
        (
            "recall-what-runs",
            "recall, unbind: any but transition",
            "_NOT_RUNNING = frozenset(_S) - {_S.TRANSITION}",
            "_NOT_RUNNING = frozenset(_S)",
        ),
        (
            "block-leaves-error",
            "block: todo -> blocked; Error is never left this way",
            "Verb.BLOCK: Transition(frozenset({_S.TODO}),",
            "Verb.BLOCK: Transition(frozenset({_S.TODO, _S.ERROR}),",
        ),
    ),
    *_mutants(
        "domain/answers.py",
        (
            "retry-past-no-return",
            "fail: anything past PNR: at once",
            "        (role.is_destructive and run.effect_recorded)\n        or error.family in",
            "        error.family in",
        ),
        (
            "confirmation-kept-at-no-return",
            "A confirmation is spent at PNR",
            "    graph.put(replace(node_role, confirmation=None))\n    return [node_role.id, *",
            "    return [node_role.id, *",
        ),
        (
            "epoch-recorded-twice",
            "An epoch moves once",
            "    if run.effect_recorded:\n        return []\n",
            "",
        ),
        (
            "no-deadline",
            "defer: ... until `deadline_s` after the first start, then fail",
            "        or not_before > started + timedelta(seconds=role.deadline_s)\n",
            "",
        ),
        (
            "first-backoff-repeats",
            "defer: not before the *next* backoff; the last interval repeats",
            "table[min(deferrals, len(table) - 1)]",
            "table[0]",
        ),
        (
            "unreachable-counts",
            "`attempts` count `Failed`; `Unreachable` and `Busy` wait for the deadline",
            "node_role.attempts + (error.family == Failed.family)",
            "node_role.attempts + 1",
        ),
        (
            "refused-is-retried",
            "fail: `Refused`, `Unsupported`, `Invalid`: at once",
            'frozenset({"refused", "unsupported", "invalid", "outcome-unknown"})',
            'frozenset({"outcome-unknown"})',
        ),
        (
            "lost-lease-is-free",
            "release: a lost lease counts as an attempt",
            "_put_off(graph, node_role, Verb.RELEASE, now, node_role.attempts + 1, None, last)",
            "_put_off(graph, node_role, Verb.RELEASE, now, node_role.attempts, None, last)",
        ),
        (
            "cancel-without-hold",
            "cancel: transition -> blocked, held",
            "        _hold_cancelled(graph, run, node_role, now)\n",
            "",
        ),
        (
            "lost-past-no-return-runs-again",
            'A destructive run past its PNR goes to error("outcome unknown")',
            "    past = graph.role_of(node_role).is_destructive and run.effect_recorded",
            "    past = False",
        ),
        (
            "lost-past-no-return-never-asks-check",
            "... unless its jig can tell by a check",
            "    if isinstance(answer, Succeeded):\n"
            "        return _succeed(graph, run, node_role, now, outputs)\n    past",
            "    past",
        ),
        (
            "failed-cycle-is-free",
            "A failed cycle counts as an attempt of each staged role",
            "        if cause.family != Failed.family:",
            "        if False:",
        ),
        (
            "stop-that-failed-frees-the-lane",
            "A lane is freed only when the side effect has stopped",
            "    if isinstance(answer, Errored):\n        later = now + timedelta(",
            "    if False:\n        later = now + timedelta(",
        ),
    ),
    *_mutants(
        "domain/run.py",
        (
            "pending-frees-lanes",
            "Pending ... keeps its lanes and attempt",
            "_LANELESS = frozenset({RunPhase.QUEUED,",
            "_LANELESS = frozenset({RunPhase.PENDING, RunPhase.QUEUED,",
        ),
        (
            "staged-keeps-lanes",
            "Staged frees the lane",
            "RunPhase.STAGED, RunPhase.VERIFY, RunPhase.DONE})",
            "RunPhase.VERIFY, RunPhase.DONE})",
        ),
        (
            "stopping-frees-lanes",
            "A run lost with its worker is first stopped by the jig",
            "_LANELESS = frozenset({RunPhase.QUEUED,",
            "_LANELESS = frozenset({RunPhase.STOPPING, RunPhase.QUEUED,",
        ),
    ),
    *_mutants(
        "domain/settling.py",
        (
            "skipped-never-stale",
            "Stale: its active *and skipped* descendants become stale",
            "elif state in _DONE and not current.is_stale:",
            "elif state is NodeRoleState.ACTIVE and not current.is_stale:",
        ),
        (
            "todo-never-blocked",
            "block: todo -> blocked when a hard parent un-settled",
            "                self._move(current, Verb.BLOCK)",
            "                pass",
        ),
        (
            "verdict-never-reconsidered",
            "reconsider: the verdict of `when` changed",
            "if known.verdict is not None and known.verdict is not was_wanted:",
            "if False:",
        ),
        (
            "when-is-ignored",
            "skip: blocked -> skipped, by `when`",
            "if known.verdict is False or is_calm:",
            "if is_calm:",
        ),
        (
            "same-digest-runs-again",
            "Stale: same [digest], settled without running",
            "bound is not None or not (same or is_destructive):",
            "bound is not None or current.is_stale or not (same or is_destructive):",
        ),
        (
            "changed-digest-is-ignored",
            "rerun: digest changed and not destructive",
            "bound is not None or not (same or is_destructive):",
            "bound is not None:",
        ),
        (
            "destructive-runs-again-by-itself",
            "Destructive: changed wants leave it settled",
            "bound is not None or not (same or is_destructive):",
            "bound is not None or not same:",
        ),
        (
            "drift-unsettles",
            "Destructive: changed wants leave it settled and drifted",
            "            must_rerun = not same and moved",
            "            must_rerun = not same",
        ),
        (
            "epoch-is-drift",
            "Destructive: a moved epoch un-settles it",
            "            must_rerun = not same and moved",
            "            must_rerun = False",
        ),
        (
            "destructive-error-retries-itself",
            "retry: ... if not destructive, a changed digest",
            "if not same and not is_destructive:",
            "if not same:",
        ),
        (
            "error-ignores-digest",
            "retry: a changed digest",
            "if not same and not is_destructive:",
            "if False:",
        ),
        (
            "confirmation-never-void",
            "Later changes void [a confirmation]",
            "        if given.key != key:",
            "        if False:",
        ),
        (
            "confirmation-binds-too-early",
            "Inputs unknown at the commit bind when all parents first settle",
            "given is None or (given.key is None and self._is_input_open(current, known)):",
            "given is None:",
        ),
        (
            "confirmation-for-any-machine",
            "A confirmation binds ... machine",
            "f\"{known.digest}@{node.identity if node else '-'}\"",
            'f"{known.digest}"',
        ),
        (
            "expected-boot-counts",
            "An epoch moves once, when the side effect is recorded *or* observed",
            "boot_id = None if Epoch.REBOOT in epochs else node.boot_id",
            "boot_id = node.boot_id",
        ),
    ),
    *_mutants(
        "domain/digest.py",
        (
            "epochs-not-in-digest",
            "Input digest = ... + the node's epochs named by `invalidated_by`",
            'f"{item[0:3]}{counters.of(item)}"',
            'f"{item[0:3]}"',
        ),
        (
            "reinstalls-above-not-in-digest",
            "... the reinstall epochs of all nodes above a vertex that has no node",
            'parts.append(f"n{parent.node_id}={reinstalls}")',
            'parts.append(f"n{parent.node_id}")',
        ),
        (
            "skipped-puts-out",
            "A want on a skipped parent takes the want's own default",
            "    if parent.state is NodeRoleState.SKIPPED:\n        return MISSING\n",
            "",
        ),
        (
            "no-default",
            "A want on a skipped parent takes the want's own default",
            "    return want.default if want.has_default else MISSING",
            "    return MISSING",
        ),
    ),
    *_mutants(
        "domain/graph.py",
        (
            "newcomer-counts-at-once",
            "Members stay settled until the newcomer settles",
            "return self.kind is EdgeKind.HARD and not self.is_joining",
            "return self.kind is EdgeKind.HARD",
        ),
        (
            "hold-not-inherited",
            "Hold on a ... deployment (a tree of scopes)",
            "(HoldScope.DEPLOYMENT, item) for item in self.ancestry[deployment_id]]",
            "(HoldScope.DEPLOYMENT, deployment_id)]",
        ),
    ),
    *_mutants(
        "domain/binding.py",
        (
            "members-wait-for-newcomers",
            "Members stay settled until the newcomer settles",
            "is_joining = barrier.state is NodeRoleState.ACTIVE",
            "is_joining = False",
        ),
        (
            "newcomer-skips-its-own",
            "A newcomer's node-roles behind the barrier also require its own before it",
            "            if self.graph.node_roles[edge.child].node_id == node_id is not None:",
            "            if False:",
        ),
    ),
    *_mutants(
        "domain/role_order.py",
        (
            "no-order-by-invalidation",
            "What a step invalidates also runs softly after it",
            '            found.setdefault(item, "invalidates")',
            "            pass",
        ),
    ),
    *_mutants(
        "domain/blockers.py",
        (
            "soft-parent-in-error-delays",
            "A soft parent delays only while no operator-owned blocker stands on or above it",
            "        if not parent.holds_back:",
            "        if True:",
        ),
        (
            "soft-parent-never-delays",
            "A soft parent delays",
            "        if not parent.holds_back:",
            "        if False:",
        ),
        (
            "hold-is-ignored",
            "Hold: nothing new starts there",
            "    hold = graph.hold_on(node_role)",
            "    hold = None",
        ),
        (
            "unavailable-is-ignored",
            "Blockers: node not available",
            "    if node is not None and not node.is_available:",
            "    if False:",
        ),
        (
            "no-hammer-is-ignored",
            "Blockers: no hammer with that capability",
            "Lane.BMC in lanes_of(role.lane) and not node.bmc:",
            "False:",
        ),
        (
            "destructive-unasked",
            "Destructive: runs only confirmed",
            "    if role.is_destructive and node_role.confirmation is None:",
            "    if False:",
        ),
        (
            "backoff-is-ignored",
            "defer: not before the next backoff",
            "if node_role.not_before is not None and node_role.not_before > now:",
            "if False:",
        ),
        (
            "alone-among-staged",
            "`alone` never starts while its node has staged work",
            "if role.reboot is Reboot.ALONE and staged is not None:",
            "if False:",
        ),
        (
            "both-starves",
            "`both` takes two, and reserves them when lanes are its only blocker",
            "holder = reservation(graph, node_id, now)",
            "holder = None",
        ),
        (
            "both-reserves-while-it-waits",
            "`both` ... reserves them when lanes are its *only* blocker",
            "    return not staged and node_role.unmet == 0",
            "    return True",
        ),
        (
            "a-cycle-each",
            "When none of the node can [still stage], one power cycle runs",
            "    return not any(\n        can_still_stage(",
            "    return True or not any(\n        can_still_stage(",
        ),
        (
            "cycle-waits-for-people",
            "Can still stage if nothing on or above it needs a person",
            "node_role.is_settled or node_role.holds_back:",
            "node_role.is_settled:",
        ),
        (
            "cycle-waits-below-a-reboot",
            "Can still stage if ... no unsettled ancestor reboots",
            "            if Epoch.REBOOT in graph.role_of(parent).raises:",
            "            if False:",
        ),
        (
            "cycle-waits-for-other-nodes",
            "Can still stage if ... no unsettled ancestor is on another node",
            "            if parent.node_id != node_role.node_id:",
            "            if False:",
        ),
    ),
    *_mutants(
        "engine/planner.py",
        (
            "lost-lease-unseen",
            "release: lease lost",
            "case RunPhase.RUNNING | RunPhase.VERIFYING if lease_is_lost:",
            "case RunPhase.RUNNING | RunPhase.VERIFYING if False:",
        ),
        (
            "wake-counts-twice",
            "Wakes are stored rows, so one that comes early counts: once",
            "self.graph.consumed_wakes.append(key)",
            "pass",
        ),
        (
            "pending-for-ever",
            "fail: a Pending passed its deadline",
            "case RunPhase.PENDING if run.wake_deadline is not None and run.wake_deadline <= now:",
            "case RunPhase.PENDING if False:",
        ),
        (
            "power-despite-hold",
            "Node actions are runs too: lanes, holds, fencing",
            "            and self.graph.hold_around(node.deployment_id, node_id) is None\n",
            "",
        ),
        (
            "power-despite-lanes",
            "Power has one writer: the `bmc` lane",
            "            not any(item in lanes for item in lanes_of(lane))\n            and node",
            "            node",
        ),
    ),
    *_mutants(
        "engine/annealer.py",
        (
            "zombies-heard",
            "A lost, late or doubled message is harmless, and a zombie's answer is refused",
            "run is None or run.dispatch != answer.dispatch or not run.has_worker:",
            "run is None or not run.has_worker:",
        ),
        (
            "leases-lapse",
            "Workers of this process live as long as it does",
            "        if alive:\n",
            "        if False:\n",
        ),
    ),
    *_mutants(
        "engine/draft.py",
        (
            "needed-taken-away",
            "recall and unbind are refused while a committed node-role outside needs it",
            "    if needing:",
            "    if False:",
        ),
        (
            "new-not-confirmed",
            "Committing a plan confirms the destructive steps that are new in it",
            "    for item in draft.created:\n        _confirm_if_destructive(draft, item, give)\n",
            "",
        ),
        (
            "confirmed-anywhere",
            "[A confirmation] is given in blocked, todo or active",
            "    if node_role.state not in CONFIRMABLE:",
            "    if False:",
        ),
    ),
    *_mutants(
        "engine/smallest_fix.py",
        (
            "fix-with-idle-parts",
            "why: the smallest set of facts, irreducible",
            "    if len(found) <= _MOST_TRIALS:",
            "    if False:",
        ),
        (
            "fix-without-foresight",
            "why: facts that would unblock, assuming that other runs succeed",
            "_MOST_ROUNDS = 8",
            "_MOST_ROUNDS = 1",
        ),
    ),
    *_mutants(
        "engine/interventions.py",
        (
            "retry-asks-again",
            "retry: a person (of destructive work: it confirms it)",
            "        if graph.role_of(node_role).is_destructive:",
            "        if False:",
        ),
        (
            "resume-remembers",
            "... and resume reset attempts and first start",
            "and node_role.state in _WAITING and has_history:",
            "and False:",
        ),
        (
            "accept-keeps-the-old-digest",
            "A person ... `accept`s (adopt the digest)",
            "graph.put(replace(node_role, digest=digest, is_stale=False, confirmation=None))",
            "graph.put(replace(node_role, is_stale=False, confirmation=None))",
        ),
    ),
)
