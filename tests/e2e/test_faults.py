"""Each fault of the lab on one of twelve nodes, while the others go on: what `why` says of it, what
its error family makes of it, and how it ends. No password shows anywhere meanwhile.

The dozens start one after the other on one server, each in a deployment of its own; a faulty node
is watched from its enrolment until it is ready. A fault is cleared when its dozen's other nodes are
ready and its root cause has been seen."""

import base64
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from readystate.cli.client import Api
from readystate.cli.rack_tour import RackTour
from readystate.lab.process import read_login
from tests.e2e.racks import Rack, lab_and_server

DOZEN = 12
#: Seconds that all of it may take on a busy machine; about 80 on an idle one.
DEADLINE_S = 280.0
#: How long a BMC that refused us is left alone (`adapters/hammers/credential_trials.py`).
REFUSAL_WAIT_S = 61.0


@dataclass(frozen=True)
class Expected:
    """What `why` must name as root while the fault lasts, and what follows from its family."""

    kind: str
    family: str
    owner: str
    role: str
    ends: str  #: itself (while the fault lasts) | cleared (a later pass) | person (retry)
    delay_s: float | None = None


#: In this order: what is soon over, or takes longest to show or to end, begins first.
EXPECTED: Mapping[str, Expected] = {
    # It is over in two seconds: nothing else is looked at meanwhile.
    "bmc-resets": Expected("waiting", "", "run", "inventory", "itself"),
    # The BMC says yes and does nothing: looked for 20 s, then a counted failure.
    "power-lies": Expected("retry-backoff", "failed", "timer", "inventory", "cleared"),
    "wrong-password": Expected("error", "refused", "operator", "bmc-managed", "person"),
    "slow": Expected("waiting", "", "run", "bmc-managed", "itself", delay_s=0.3),
    "unreachable": Expected("retry-backoff", "unreachable", "bmc", "bmc-managed", "cleared"),
    "unavailable": Expected("retry-backoff", "busy", "bmc", "bmc-managed", "cleared"),
    "drops-boot-override": Expected("retry-backoff", "failed", "timer", "inventory", "cleared"),
    "session-exhaustion": Expected("retry-backoff", "busy", "bmc", "bmc-managed", "cleared"),
}


@dataclass
class Watched:
    """A dozen, and the story of its faulty node."""

    fault: str
    expected: Expected
    tour: RackTour
    bmc: str  #: of the faulty node
    node: str
    began_at: float
    roots: list[dict[str, Any]] = field(default_factory=list)  #: each once, oldest first
    others_ready_at: float | None = None
    was_active: bool = False  #: the fault was still there when the others were ready
    cleared_at: float | None = None
    asked_at: float | None = None  #: when a person said retry
    state_before_retry: str = ""
    ready_at: float | None = None

    def has_seen_root(self) -> bool:
        return any(_matches(root, self) for root in self.roots)


def _matches(root: Mapping[str, Any], watched: Watched) -> bool:
    expected, blocker = watched.expected, root["blocker"]
    return (blocker["kind"], blocker["family"], blocker["owner"], root["path"], root["bmc"]) == (
        expected.kind,
        expected.family,
        expected.owner,
        f"{watched.node}/{expected.role}",
        watched.bmc,
    )


@dataclass(frozen=True)
class Story:
    rack: Rack
    watched: Mapping[str, Watched]


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    with lab_and_server(DOZEN * len(EXPECTED), pace=0.5) as rack, rack.api() as api:
        status = rack.lab.status()
        for _ in RackTour(api).scan(status["bmc_range"]):
            pass
        addresses = [item["bmc_address"] for item in status["machines"]]
        watched: dict[str, Watched] = {}
        for index, fault in enumerate(EXPECTED):
            mine = addresses[index * DOZEN : (index + 1) * DOZEN]
            # another place in each dozen, so that faults meet different vendors
            watched[fault] = _begin(rack, api, fault, mine, mine[index])
            _watch_until(rack, watched, lambda it=watched[fault]: it.others_ready_at is not None)
        _watch_until(rack, watched, lambda: all(it.ready_at for it in watched.values()))
        yield Story(rack, watched)


def _begin(rack: Rack, api: Api, fault: str, addresses: list[str], bmc: str) -> Watched:
    expected = EXPECTED[fault]
    tour = RackTour(api, deployment=fault)
    login = read_login(rack.lab.state_dir)
    tour.add_deployment(login.username, login.password)
    rack.lab.plant(bmc, fault, delay_s=expected.delay_s)
    nodes = tour.enroll(addresses)
    node = next(it["name"] for it in nodes if it["bmc"][0]["address"] == bmc)
    watched = Watched(fault, expected, tour, bmc, node, time.monotonic())
    _look(watched)
    tour.commit(tour.propose(nodes))
    _look(watched)
    return watched


def _watch_until(rack: Rack, watched: Mapping[str, Watched], is_over: Any) -> None:
    ends_at = time.monotonic() + DEADLINE_S
    while not is_over() and time.monotonic() < ends_at:
        for item in watched.values():
            if item.ready_at is None:
                _look(item)
                _act(rack, item)
        time.sleep(0.1)


def _look(item: Watched) -> None:
    for why in item.tour.api.items(f"/why/node/{item.node}"):
        item.roots += [root for root in why["roots"] if root not in item.roots]
    nodes = {it["name"]: it["milestone"] for it in item.tour.nodes()}
    others = [milestone for name, milestone in nodes.items() if name != item.node]
    now = time.monotonic()
    if item.others_ready_at is None and others == ["ready"] * (DOZEN - 1):
        item.others_ready_at = now
    if nodes[item.node] == "ready":
        item.ready_at = now


def _act(rack: Rack, item: Watched) -> None:
    """Clear the fault in time; say retry where a person has to, not before the BMC may be asked."""
    now = time.monotonic()
    if item.others_ready_at is None or item.expected.ends == "itself":
        return
    if item.cleared_at is None and item.has_seen_root():
        item.was_active = item.fault in rack.lab.truth(item.bmc)["faults"]
        rack.lab.clear(item.bmc)
        item.cleared_at = now
    if item.expected.ends == "person" and item.asked_at is None and item.cleared_at is not None:
        path = f"/node-roles/{item.node}/{item.expected.role}"
        item.state_before_retry = item.tour.api.get(path)["state"]
        if now > item.began_at + REFUSAL_WAIT_S:
            item.tour.api.post(f"{path}/retry")
            item.asked_at = now


@pytest.fixture(params=list(EXPECTED))
def watched(request: pytest.FixtureRequest, story: Story) -> Watched:
    return story.watched[request.param]


def test_the_other_eleven_become_ready_while_it_lasts(watched: Watched) -> None:
    assert watched.others_ready_at is not None
    if watched.expected.ends != "itself":
        assert watched.was_active


def test_why_names_its_root_cause(watched: Watched) -> None:
    """Kind, error family, owner, BMC and role, all of one root."""
    assert watched.has_seen_root(), json.dumps(watched.roots, indent=1)


def test_no_root_blames_another_node_or_bmc(watched: Watched) -> None:
    """What stands for the whole deployment has no node in its path."""
    paths = [root["path"] for root in watched.roots]

    assert {watched.bmc} == {root["bmc"] for root in watched.roots if root["bmc"]}
    assert {watched.node} == {path.split("/")[0] for path in paths if "/" in path}


def test_the_node_becomes_ready_in_the_end(watched: Watched) -> None:
    assert watched.ready_at is not None, json.dumps(watched.roots, indent=1)


@pytest.mark.parametrize("fault", [it for it in EXPECTED if EXPECTED[it].ends == "cleared"])
def test_a_fault_that_passes_needs_no_person(story: Story, fault: str) -> None:
    item = story.watched[fault]

    assert item.ready_at is not None
    assert item.asked_at is None
    assert item.cleared_at is not None
    assert item.ready_at > item.cleared_at


@pytest.mark.parametrize("fault", [it for it in EXPECTED if EXPECTED[it].ends == "itself"])
def test_a_fault_that_only_delays_is_outlived(story: Story, fault: str) -> None:
    item = story.watched[fault]

    assert item.ready_at is not None
    assert item.cleared_at is None


def test_a_refusal_stops_until_a_person_says_retry(story: Story) -> None:
    item = story.watched["wrong-password"]
    runs = story.rack.cli("runs", "list", "-o", "json", "--node", item.node)
    tried = [it for it in json.loads(runs.stdout) if it["role"] == "bmc-managed"]

    assert "error" == item.state_before_retry, "it moved though nobody had said retry"
    told = [(it["outcome"], it["error_family"]) for it in reversed(tried)]
    others = [it for it in told if it not in (("failed", "refused"), ("succeeded", ""))]
    assert 1 == told.count(("failed", "refused"))
    assert ("succeeded", "") == told[-1]
    assert {("deferred", "busy")} == set(others), "between two trials it only waits"


def test_it_was_refused_often_enough_to_know_and_no_more(story: Story) -> None:
    """BMCs lock accounts after a few refusals: one for each protocol at most."""
    item = story.watched["wrong-password"]

    assert 1 <= story.rack.lab.truth(item.bmc)["ledger"]["refused_logins"] <= 2


# -- the canary: the password of all these BMCs ----------------------------------------------------


@pytest.fixture
def canaries(story: Story) -> list[str]:
    """As it is, and as HTTP basic authorization would carry it."""
    login = read_login(story.rack.lab.state_dir)
    password = login.password.reveal()
    basic = base64.b64encode(f"{login.username}:{password}".encode()).decode()
    return [password, basic]


def test_no_password_in_any_log(story: Story, canaries: list[str]) -> None:
    logs = [story.rack.output, *(story.rack.data_dir / "runs").rglob("*")]
    read = {path: path.read_text() for path in logs if path.is_file()}

    assert len(read) > DOZEN * len(EXPECTED), "these are the logs of all runs"
    assert [] == [path for path, text in read.items() if any(it in text for it in canaries)]


def test_no_password_in_any_answer_of_the_api(story: Story, canaries: list[str]) -> None:
    lists = ("nodes", "node-roles", "runs", "events", "sightings", "credentials", "deployments",
             "proposals", "holds", "scans")  # fmt: skip
    with story.rack.api() as api:
        answers = {path: json.dumps(api.all(f"/{path}")) for path in lists}
        for proposal in json.loads(answers["proposals"]):
            answers[f"proposal {proposal['id']}"] = json.dumps(proposal)
        for item in story.watched.values():
            answers[f"node {item.node}"] = json.dumps(api.get(f"/nodes/{item.node}"))
            answers[f"why {item.node}"] = json.dumps(item.roots)

    assert '"refused"' in answers["runs"], "the answers tell of what went wrong"
    assert [] == [path for path, text in answers.items() if any(it in text for it in canaries)]


def test_no_password_in_the_process_list(story: Story, canaries: list[str]) -> None:
    for pid in story.rack.pids:
        for name in ("cmdline", "environ"):
            shown = Path(f"/proc/{pid}/{name}").read_text()
            assert [] == [canary for canary in canaries if canary in shown]


def test_no_password_lies_open_in_the_database(story: Story, canaries: list[str]) -> None:
    files = list(story.rack.data_dir.glob("readystate.db*"))

    assert files
    for path in files:
        content = path.read_bytes()
        assert [] == [canary for canary in canaries if canary.encode() in content]
