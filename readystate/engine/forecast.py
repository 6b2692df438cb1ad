"""What a change would set in motion: the real rules and the real planner, on a working set that
holds the whole cone, with assumed answers. Pure; the working set is used up.

Twice: *calm* assumes that work which runs again puts out what it put out before and that a machine
is set up as wanted already; *stormy* that every output is unknown and every change is staged. What
runs in both is certain, what runs in one is possible."""

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from readystate.domain.answers import record_effect, take_answer
from readystate.domain.digest import read_input
from readystate.domain.graph import UNKNOWN, Graph
from readystate.domain.ids import NodeId, NodeRoleId, RunId
from readystate.domain.node_role import NodeRole
from readystate.domain.outcome import Outcome, Staged, Succeeded
from readystate.domain.role import Epoch, Reboot
from readystate.domain.run import Run, RunKind, RunPhase
from readystate.domain.settling import Settling
from readystate.engine.planner import Planner, Work
from readystate.ports.dispatch import WorkKind

#: Stands for the outputs of work that has not run: JSON text that no jig can write.
NOT_KNOWN_YET = "?"

#: A cone of n node-roles comes to rest within a few passes for each; more is a defect of the rules.
_PASSES_PER_NODE_ROLE = 20


@dataclass
class Forecast:
    runs: Counter[NodeRoleId] = field(default_factory=Counter)
    reboots: Counter[NodeId] = field(default_factory=Counter)
    known: bool = True  #: no run rested on an output that was not known
    left: list[NodeRoleId] = field(default_factory=list)  #: unsettled at the end


def forecast(graph: Graph, now: datetime, *, calm: bool) -> Forecast:
    """Let the cone come to rest. Timers count as elapsed, gates as open, BMCs as answering."""
    return _Simulation(graph, now, calm).run()


def let_come_to_rest(graph: Graph, now: datetime) -> None:
    """As a calm forecast, but changes are staged and what rests on an output not known yet counts
    as wanted: for `why`, which must not promise that work will be skipped."""
    simulation = _Simulation(graph, now, calm=True)
    simulation.stages = True
    graph.is_calm = False
    simulation.run()


class _Simulation:
    def __init__(self, graph: Graph, now: datetime, calm: bool) -> None:
        self.graph = graph
        self.now = now
        self.calm = calm
        self.stages = not calm
        self.result = Forecast()
        graph.is_whole = True
        graph.is_calm = calm
        graph.gates = {}
        self._read = graph.read_outputs
        graph.read_outputs = self._outputs
        ids = itertools.count(max([0, *graph.runs]) + 1)
        self.planner = Planner(
            graph, now, timedelta(days=365), "forecast", lambda: RunId(next(ids))
        )
        self.settling = Settling(graph, now)

    def _outputs(self, node_role: NodeRole) -> Mapping[str, Any]:
        if node_role.outputs != NOT_KNOWN_YET:
            return self._read(node_role)
        role = self.graph.role_of(node_role)
        return {item.name: UNKNOWN for item in role.outputs}

    def run(self) -> Forecast:
        graph = self.graph
        self._let_time_pass()
        self.settling.run(graph.focus)
        limit = _PASSES_PER_NODE_ROLE * (len(graph.focus) + 1)
        for _ in range(limit):
            works = self._next_works()
            if not works:
                break
            for work in works:
                self._carry_out(work)
        else:
            raise RuntimeError("the forecast does not come to rest: the rules livelock")
        self.result.left = sorted(
            item for item in graph.focus if not graph.node_roles[item].is_settled
        )
        return self.result

    def _let_time_pass(self) -> None:
        graph = self.graph
        for item in tuple(graph.focus):
            node_role = graph.node_roles[item]
            if node_role.not_before is not None:
                graph.put(replace(node_role, not_before=None))
        for node in tuple(graph.nodes.values()):
            graph.nodes[node.id] = replace(node, breaker_until=None)
        for run in tuple(graph.runs.values()):
            if run.has_worker or run.phase is RunPhase.PENDING:
                self._finish(run)

    def _next_works(self) -> list[Work]:
        graph = self.graph
        works: list[Work] = []
        for node_id in sorted({node_id for node_id in graph.on_node if graph.on_node[node_id]}):
            works += self.planner.plan_node(node_id)
        for item in sorted(graph.focus):
            if graph.node_roles[item].node_id is None:
                works += self.planner.plan_vertex(item)
        return works

    def _carry_out(self, work: Work) -> None:
        run = self.graph.runs[work.run_id]
        if work.kind is WorkKind.RUN and run.node_role_id is not None:
            self._count(run.node_role_id)
        self._finish(run)

    def _count(self, item: NodeRoleId) -> None:
        self.result.runs[item] += 1
        node_role = self.graph.node_roles[item]
        may_stage = self.graph.role_of(node_role).reboot is Reboot.SHARED
        if may_stage or not read_input(self.graph, node_role).is_known:
            self.result.known = False

    def _finish(self, run: Run) -> None:
        """The assumed answer of a run, now."""
        graph = self.graph
        looked_at: list[NodeRoleId] = []
        answer: Outcome = Succeeded()
        outputs = "{}"
        if run.kind is RunKind.ROLE and run.node_role_id is not None:
            node_role = graph.node_roles[run.node_role_id]
            role = graph.role_of(node_role)
            may_stage = role.reboot is Reboot.SHARED and run.phase is RunPhase.RUNNING
            # Whether there is anything to stage, only the machine knows: it is read by the run.
            stages = may_stage and self.stages
            if run.phase is RunPhase.RUNNING:
                if Epoch.REBOOT in role.raises and not may_stage and run.node_id is not None:
                    self.result.reboots[run.node_id] += 1
                looked_at += record_effect(graph, run, self.now)
            answer = Staged() if stages else Succeeded()
            outputs = self._assumed_outputs(node_role)
        elif run.kind is RunKind.CYCLE and run.node_id is not None:
            self.result.reboots[run.node_id] += 1
            looked_at += record_effect(graph, run, self.now)
        looked_at += take_answer(graph, graph.runs[run.id], answer, self.now, outputs=outputs)
        self.settling.run(looked_at)

    def _assumed_outputs(self, node_role: NodeRole) -> str:
        if not self.graph.role_of(node_role).outputs:
            return "{}"
        has_run = node_role.outputs != "{}"
        return node_role.outputs if self.calm and has_run else NOT_KNOWN_YET
