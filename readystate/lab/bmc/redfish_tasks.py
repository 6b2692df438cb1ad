"""Tasks of one BMC: work that was accepted and is done at once or at the machine's next boot.

Where the vendor has jobs, each task is shown as a job too, under the same id."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from readystate.lab.bmc.redfish_messages import Body


class TaskState(StrEnum):
    """Values of TaskState. Source: DSP8010, schema Task."""

    PENDING = "Pending"  #: waits for the boot
    COMPLETED = "Completed"
    CANCELLED = "Cancelled"

    @property
    def is_final(self) -> bool:
        return self is not TaskState.PENDING


class Work(StrEnum):
    """What a task does, as the vendor's JobType says it."""

    BIOS = "BIOSConfiguration"
    RAID = "RAIDConfiguration"
    RAID_NOW = "RealTimeNoRebootConfiguration"


@dataclass
class Task:
    id: str
    work: Work
    target: str  #: path of the resource it is about
    state: TaskState
    started_at: datetime
    ended_at: datetime | None = None

    def end(self, state: TaskState) -> None:
        self.state = state
        self.ended_at = datetime.now(UTC)

    @property
    def percent(self) -> int:
        return 100 if self.state is TaskState.COMPLETED else 0

    def body(self, path: str, monitor_path: str) -> Body:
        body: Body = {
            "@odata.id": path,
            "@odata.type": "#Task.v1_4_3.Task",
            "Id": self.id,
            "Name": f"{self.work.value} {self.target}",
            "TaskState": self.state.value,
            "TaskStatus": "OK",
            "PercentComplete": self.percent,
            "StartTime": stamp(self.started_at),
            "Messages": [],
            "TaskMonitor": monitor_path,
        }
        if self.ended_at is not None:
            body["EndTime"] = stamp(self.ended_at)
        return body

    def job_body(self, path: str) -> Body:
        """The task as Dell shows it. Source: iDRAC 9's DellJob and Job resources."""
        is_done = self.state is TaskState.COMPLETED
        return {
            "@odata.id": path,
            "@odata.type": "#DellJob.v1_2_0.DellJob",
            "Id": self.id,
            "Name": f"Configure: {self.work.value}",
            "JobType": self.work.value,
            "JobState": "Completed" if is_done else "Scheduled",
            "Message": "Job completed successfully." if is_done else "Task successfully scheduled.",
            "MessageId": "PR19" if is_done else "JCP001",
            "PercentComplete": self.percent,
            "TargetSettingsURI": self.target,
            "StartTime": "TIME_NOW",
            "CompletionTime": None if self.ended_at is None else stamp(self.ended_at),
        }


@dataclass
class Tasks:
    make_id: Callable[[int], str]
    by_id: dict[str, Task] = field(default_factory=dict)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def add(self, work: Work, target: str, *, waits_for_boot: bool) -> Task:
        task_id = self.make_id(next(self._numbers))
        task = Task(task_id, work, target, TaskState.PENDING, datetime.now(UTC))
        if not waits_for_boot:
            task.end(TaskState.COMPLETED)
        self.by_id[task_id] = task
        return task

    def waiting(self, work: Work) -> Task | None:
        return next(
            (task for task in self.by_id.values() if task.work is work and not task.state.is_final),
            None,
        )

    def complete_waiting(self) -> None:
        """Called at each boot, when everything that waited for it has taken effect."""
        for task in self.by_id.values():
            if not task.state.is_final:
                task.end(TaskState.COMPLETED)


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
