"""The API over real HTTP: what it answers, what it refuses, and what it never shows."""

import itertools
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.serving import Served, anneal, curl, serving

CANARY = "canary-9Kx2-password"
_names = (f"node-{number}" for number in itertools.count(100))
_addresses = (f"127.250.{number // 250}.{number % 250 + 1}" for number in itertools.count())


def add_node(api: httpx.Client, *, goal: str = "", **more: Any) -> str:
    name = next(_names)
    node = {"name": name, "bmc": [{"address": next(_addresses)}], **more}
    answer = api.post("/nodes", json={"nodes": [node], "goal": goal})
    assert answer.status_code == 201, answer.text
    if goal:
        _bring_to_goal(api, answer.json()["proposal"])
    return name


def _bring_to_goal(api: httpx.Client, proposal: int) -> None:
    """What discovers the node is at work meanwhile and may move the plan."""
    deadline = time.monotonic() + 20
    while (answer := commit_planned(api, proposal)).status_code == 409:
        assert time.monotonic() < deadline, answer.text
    assert answer.status_code == 200, answer.text


def propose(api: httpx.Client, *changes: dict[str, Any], **more: Any) -> httpx.Response:
    return api.post("/proposals", json={"changes": list(changes), **more})


def commit(api: httpx.Client, *changes: dict[str, Any], **more: Any) -> None:
    answer = commit_planned(api, propose(api, *changes, **more).json()["id"])
    assert answer.status_code == 200, answer.text


def commit_planned(api: httpx.Client, proposal: int) -> httpx.Response:
    digest = api.get(f"/proposals/{proposal}/plan").json()["digest"]
    return api.post(f"/proposals/{proposal}/commit", json={"digest": digest})


def settled(api: httpx.Client, path: str) -> Any:
    deadline = time.monotonic() + 20
    while not (item := api.get(f"/node-roles/{path}").json())["settled"]:
        assert time.monotonic() < deadline, item
        time.sleep(0.05)
    return item


def in_error(api: httpx.Client, path: str) -> Any:
    deadline = time.monotonic() + 20
    while (item := api.get(f"/node-roles/{path}").json())["state"] != "error":
        assert time.monotonic() < deadline, item
        time.sleep(0.05)
    return item


def problem(answer: httpx.Response, status: int, kind: str) -> Any:
    """The body of a refusal, which is the one that was expected."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["type"] == f"urn:readystate:problem:{kind}"
    assert body["status"] == status
    assert body["what"]
    assert body["instance"] == answer.request.url.path
    return body


# -- who asks --------------------------------------------------------------------------------------


def test_request_without_a_token_is_refused_and_told_how(served: Served) -> None:
    with served.client(token="") as nobody:
        answer = nobody.get("/nodes")

    problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("change", ["last", "prefix", "short", "other"])
def test_wrong_token_is_refused(served: Served, change: str) -> None:
    token = served.token
    wrong = {
        "last": token[:-1] + ("a" if token[-1] != "a" else "b"),
        "prefix": token.replace(token[4:12], "00000000"),
        "short": token[:12],
        "other": "x" * 60,
    }[change]
    with served.client(token=wrong) as stranger:
        problem(stranger.get("/nodes"), 401, "unauthenticated")


def test_every_path_of_the_api_wants_a_token(served: Served) -> None:
    document = httpx.get(f"{served.url}/api/v1/openapi.json").json()
    with served.client(token="") as nobody:
        for path, operations in document["paths"].items():
            if not path.startswith("/api/v1"):
                continue
            for method in operations:
                concrete = path.removeprefix("/api/v1").replace("{", "").replace("}", "")
                answer = nobody.request(method, concrete, json={})
                # A number in the path may be checked first; nothing is told either way.
                assert answer.status_code in (401, 422), f"{method} {path}"


def test_token_is_kept_for_its_owner_alone_and_only_as_a_hash(served: Served) -> None:
    assert (served.data_dir / "api-token").stat().st_mode & 0o777 == 0o600
    secret = served.token.split("_", 2)[2].encode()
    for path in served.data_dir.glob("readystate.db*"):
        assert secret not in path.read_bytes()


# -- refusals --------------------------------------------------------------------------------------


def test_unknown_name_is_not_found_and_a_near_one_is_named(api: httpx.Client) -> None:
    name = add_node(api)
    body = problem(api.get(f"/nodes/{name}x"), 404, "not-found")

    assert name in body["hint"]


@pytest.mark.parametrize(
    "path",
    [
        "/nodes/none",
        "/node-roles/none/start",
        "/node-roles/999999",
        "/why/none/start",
        "/why/node/none",
        "/deployments/none",
        "/proposals/999999",
        "/proposals/999999/plan",
        "/runs/999999",
        "/runs/999999/log",
        "/scans/999999",
        "/graph/nodes/none",
        "/graph/deployments/none",
        "/graph/roles?deployment=none",
        "/catalog/roles/none",
        "/nodes?deployment=none",
        "/node-roles?node=none",
        "/events?node=none",
        "/anneal?deployment=none",
    ],
)
def test_what_is_not_there_is_a_problem(api: httpx.Client, path: str) -> None:
    problem(api.get(path), 404, "not-found")


@pytest.mark.parametrize(
    ("path", "kind", "status"),
    [("/nothing/here", "not-found", 404), ("/nodes/x/power", "method-not-allowed", 405)],
)
def test_unknown_path_and_method_are_problems(
    api: httpx.Client, path: str, kind: str, status: int
) -> None:
    problem(api.get(path), status, kind)


def test_request_that_does_not_fit_names_each_wrong_value(api: httpx.Client) -> None:
    answer = api.post("/nodes", json={"nodes": [{"name": 7, "colour": "red"}]})
    body = problem(answer, 422, "request-invalid")

    assert {"body.nodes.0.name", "body.nodes.0.colour"} == {it["where"] for it in body["errors"]}


def test_text_that_is_no_json_is_a_problem(api: httpx.Client) -> None:
    answer = api.post("/nodes", content=b"{", headers={"Content-Type": "application/json"})

    problem(answer, 422, "request-invalid")


def test_body_that_is_no_text_is_a_problem(api: httpx.Client) -> None:
    answer = api.post("/nodes", content=b"\xff", headers={"Content-Type": "application/json"})

    problem(answer, 400, "request-invalid")


@pytest.mark.parametrize(
    "path",
    [
        *("/runs/{}", "/runs/{}/log", "/proposals/{}", "/scans/{}", "/nodes?after={}"),
        *("/node-roles?after={}", "/runs?after={}", "/events?after={}", "/events/stream?after={}"),
    ],
)
def test_number_that_no_database_holds_does_not_fit(api: httpx.Client, path: str) -> None:
    problem(api.get(path.format(10**30)), 422, "request-invalid")


@pytest.mark.parametrize("path", ["/nodes/{}", "/node-roles/{}", "/why/{}", "/why/node/{}"])
def test_name_of_digits_may_be_of_any_length(api: httpx.Client, path: str) -> None:
    problem(api.get(path.format(10**30)), 404, "not-found")


def test_state_that_there_is_not_does_not_fit(api: httpx.Client) -> None:
    problem(api.get("/node-roles?state=activ"), 422, "request-invalid")
    assert api.get("/node-roles?state=stale").status_code == 200


def test_number_is_no_truth_value(api: httpx.Client) -> None:
    name = add_node(api)
    answer = api.put(f"/nodes/{name}/available", json={"available": 0})

    problem(answer, 422, "request-invalid")


def test_name_of_a_node_is_checked(api: httpx.Client) -> None:
    problem(api.post("/nodes", json={"nodes": [{"name": "a b"}]}), 400, "bad-request")


def test_second_node_of_one_bmc_is_a_conflict(api: httpx.Client) -> None:
    name = add_node(api)
    bmc = api.get(f"/nodes/{name}").json()["bmc"][0]["address"]
    answer = api.post("/nodes", json={"nodes": [{"name": "twin", "bmc": [{"address": bmc}]}]})

    assert name in problem(answer, 409, "conflict")["what"]


def test_verb_that_the_state_does_not_allow_is_a_conflict(api: httpx.Client) -> None:
    name = add_node(api)
    settled(api, f"{name}/start")
    body = problem(api.post(f"/node-roles/{name}/start/retry"), 409, "invalid-transition")

    assert "allowed" in body["hint"]


def test_role_without_a_run_cannot_be_cancelled(api: httpx.Client) -> None:
    name = add_node(api)
    settled(api, f"{name}/start")

    problem(api.post(f"/node-roles/{name}/start/cancel"), 409, "conflict")


def test_ranges_that_are_none_are_refused(api: httpx.Client) -> None:
    problem(api.post("/scans", json={"ranges": ["here-there"]}), 400, "bad-request")
    problem(api.post("/scans", json={"ranges": ["10.0.0.0/8"]}), 400, "bad-request")


def test_address_that_nobody_saw_cannot_be_enrolled(api: httpx.Client) -> None:
    answer = api.post("/sightings/enroll", json={"addresses": ["127.9.9.9"]})

    problem(answer, 404, "not-found")


# -- nodes and what moves --------------------------------------------------------------------------


def test_imported_node_runs_what_discovers_it(api: httpx.Client) -> None:
    name = add_node(api, goal="settle", macs=["AA-BB-CC-00-11-22"])
    settled(api, f"{name}/settle")
    node = api.get(f"/nodes/{name}").json()

    assert node["condition"] == "settled"
    assert node["milestone"] == "settle"
    assert node["counts"] == {"active": 2}
    assert node["macs"] == ["aa:bb:cc:00:11:22"]
    assert [it["role"] for it in node["node_roles"]] == ["start", "settle"]


def test_nodes_come_in_pages(api: httpx.Client) -> None:
    names = [add_node(api) for _ in range(3)]
    first = api.get("/nodes", params={"limit": 1}).json()
    rest = api.get("/nodes", params={"after": first["next"], "limit": 1000}).json()
    listed = [it["name"] for it in [*first["items"], *rest["items"]]]

    assert rest["next"] is None
    assert len(listed) == len(set(listed))
    assert set(names) <= set(listed)


def test_broken_role_stands_in_error_and_why_names_it(api: httpx.Client) -> None:
    name = add_node(api, goal="broken")
    item = in_error(api, f"{name}/broken")
    why = api.get(f"/why/{name}/broken").json()
    ends = api.get(f"/why/node/{name}").json()["items"]

    assert item["error"]["family"] == "invalid"
    assert [root["path"] for root in why["roots"]] == [f"{name}/broken"]
    assert why["fix"][0]["command"] == f"readystate retry {name}/broken"
    assert [it["path"] for it in ends] == [f"{name}/broken"]
    assert api.get(f"/nodes/{name}").json()["condition"] == "stuck"
    assert api.get(f"/nodes/{name}").json()["blockers"][0]["kind"] == "error"


def test_retry_begins_another_run(api: httpx.Client) -> None:
    name = add_node(api, goal="broken")
    in_error(api, f"{name}/broken")
    api.post(f"/node-roles/{name}/broken/retry").raise_for_status()
    in_error(api, f"{name}/broken")
    runs = api.get("/runs", params={"node_role": f"{name}/broken"}).json()["items"]

    assert [run["attempt"] for run in runs] == [2, 1]
    assert {run["outcome"] for run in runs} == {"failed"}
    assert runs[0]["error_family"] == "invalid"


def test_anneal_status_is_409_with_the_failing_and_200_without(tmp_path: Path) -> None:
    with serving(tmp_path) as served, served.client() as api:
        assert api.get("/anneal").status_code == 200
        name = add_node(api, goal="broken")
        failed = anneal(api)
        alone = api.post("/deployments", json={"name": "empty"})
        elsewhere = api.get("/anneal", params={"deployment": "empty"})

    assert failed["state"] == "failed"
    assert [it["path"] for it in failed["failing"]] == [f"{name}/broken"]
    assert alone.status_code == 201
    assert elsewhere.status_code == 200


def test_hold_keeps_from_starting_and_resume_lets_go(api: httpx.Client) -> None:
    name = add_node(api)
    settled(api, f"{name}/start")
    api.post(f"/nodes/{name}/hold", json={"reason": "being moved"}).raise_for_status()
    commit(api, {"change": "bind", "role": "settle", "node": name})
    held = api.get(f"/node-roles/{name}/settle").json()

    assert not held["settled"]
    assert [it["kind"] for it in held["blockers"]] == ["held"]
    assert "being moved" in held["blockers"][0]["detail"]
    assert name in [it["subject"] for it in api.get("/holds").json()["items"]]

    assert api.post(f"/nodes/{name}/resume").status_code == 204
    settled(api, f"{name}/settle")
    problem(api.post(f"/nodes/{name}/resume"), 404, "not-found")


def test_hold_may_be_named_by_a_path_and_a_scope(api: httpx.Client) -> None:
    name = add_node(api, goal="settle")
    body = {"scope": "node", "subject": f"{name}/settle"}

    assert api.post("/holds", json=body).json()["subject"] == name
    assert api.post("/holds/resume", json=body).status_code == 204


def test_node_that_is_not_available_is_left_alone(api: httpx.Client) -> None:
    name = add_node(api)
    settled(api, f"{name}/start")
    api.put(f"/nodes/{name}/available", json={"available": False}).raise_for_status()
    commit(api, {"change": "bind", "role": "settle", "node": name})
    item = api.get(f"/node-roles/{name}/settle").json()

    assert [it["kind"] for it in item["blockers"]] == ["node-not-available"]


def test_node_without_a_bmc_goes_on_when_it_gets_one(api: httpx.Client) -> None:
    name = add_node(api, goal="broken", bmc=[])
    settled(api, f"{name}/start")
    (fix,) = api.get(f"/why/{name}/broken").json()["fix"]
    address = next(_addresses)
    given = api.put(f"/nodes/{name}/bmc", json={"address": address})
    in_error(api, f"{name}/broken")

    assert fix["verb"] == "add-bmc"
    assert given.status_code == 204
    assert [it["address"] for it in api.get(f"/nodes/{name}").json()["bmc"]] == [address]
    other = add_node(api)
    problem(api.put(f"/nodes/{other}/bmc", json={"address": address}), 409, "conflict")


def test_power_action_is_a_run(api: httpx.Client) -> None:
    name = add_node(api)
    answer = api.post(f"/nodes/{name}/power", json={"action": "cycle"})
    run = api.get(f"/runs/{answer.json()['run']}").json()

    assert answer.status_code == 202
    assert (run["kind"], run["action"], run["node"], run["by"]) == ("power", "cycle", name, "admin")


# -- proposals -------------------------------------------------------------------------------------


def test_plan_shows_what_a_commit_does_and_the_commit_does_it(api: httpx.Client) -> None:
    name = add_node(api)
    settled(api, f"{name}/start")
    proposal = propose(api, {"change": "bind", "role": "settle", "node": name}).json()
    plan = api.get(f"/proposals/{proposal['id']}/plan").json()

    assert [it["role"] for it in plan["added"]] == ["settle"]
    assert api.get(f"/node-roles/{name}/settle").status_code == 404

    done = api.post(f"/proposals/{proposal['id']}/commit", json={"digest": plan["digest"]})
    assert done.status_code == 200
    settled(api, f"{name}/settle")
    kept = api.get(f"/proposals/{proposal['id']}").json()
    assert kept["state"] == "committed"
    assert kept["plan"]["digest"] == plan["digest"]
    again = api.post(f"/proposals/{proposal['id']}/commit", json={"digest": plan["digest"]})
    problem(again, 409, "conflict")


def test_commit_with_another_digest_is_refused(api: httpx.Client) -> None:
    name = add_node(api)
    proposal = propose(api, {"change": "bind", "role": "settle", "node": name}).json()["id"]

    problem(api.post(f"/proposals/{proposal}/commit", json={"digest": "stale"}), 409, "conflict")


def test_a_goal_is_proposed_and_destroys_nothing_unseen(api: httpx.Client) -> None:
    name = f"goal-{next(_names)}"
    body = {"nodes": [{"name": name, "bmc": [{"address": next(_addresses)}]}], "goal": "wiped"}
    enrolled = api.post("/nodes", json=body).json()
    settled(api, f"{name}/start")
    bound = [it["role"] for it in api.get(f"/nodes/{name}").json()["node_roles"]]
    proposal = api.get(f"/proposals/{enrolled['proposal']}").json()
    plan = api.get(f"/proposals/{enrolled['proposal']}/plan").json()

    assert [it["name"] for it in enrolled["nodes"]] == [name]
    assert bound == ["start"]
    assert proposal["state"] == "open"
    assert [it["place"]["role"] for it in plan["destructive"]] == ["wiped"]


def test_a_goal_that_is_no_role_enrolls_nothing(api: httpx.Client) -> None:
    name = f"goal-{next(_names)}"
    answer = api.post("/nodes", json={"nodes": [{"name": name}], "goal": "redy"})

    problem(answer, 404, "not-found")
    problem(api.get(f"/nodes/{name}"), 404, "not-found")


def test_destructive_step_is_named_in_the_plan(api: httpx.Client) -> None:
    name = add_node(api)
    proposal = propose(api, {"change": "bind", "role": "wiped", "node": name}).json()["id"]
    steps = api.get(f"/proposals/{proposal}/plan").json()["destructive"]

    assert [(it["place"]["node"], it["place"]["role"]) for it in steps] == [(name, "wiped")]
    assert steps[0]["is_confirmed"] is True


def test_discarded_proposal_cannot_be_committed(api: httpx.Client) -> None:
    name = add_node(api)
    proposal = propose(api, {"change": "bind", "role": "settle", "node": name}).json()["id"]

    assert api.delete(f"/proposals/{proposal}").json()["state"] == "discarded"
    problem(api.delete(f"/proposals/{proposal}"), 409, "conflict")
    problem(api.post(f"/proposals/{proposal}/commit", json={"digest": "x"}), 409, "conflict")


@pytest.mark.parametrize(
    ("change", "status", "kind"),
    [
        ({"change": "bind", "role": "none"}, 404, "not-found"),
        ({"change": "bind", "role": "settle", "node": "none"}, 404, "not-found"),
        ({"change": "confirm", "node_role": "none/none"}, 404, "not-found"),
        ({"change": "set-attribute", "name": "site/nam", "value": "x"}, 400, "bad-request"),
        ({"change": "set-attribute", "name": "site/name", "value": 7}, 400, "bad-request"),
        ({"change": "clear-attribute", "name": "site/namx"}, 404, "not-found"),
        ({"change": "use-catalog", "version": "none"}, 404, "not-found"),
        ({"change": "explode"}, 422, "request-invalid"),
    ],
)
def test_change_that_cannot_be_meant_is_refused(
    api: httpx.Client, change: dict[str, Any], status: int, kind: str
) -> None:
    problem(propose(api, change), status, kind)


def test_attribute_set_through_a_proposal_frees_who_wants_it(api: httpx.Client) -> None:
    name = add_node(api, goal="needy")
    missing = api.get(f"/why/{name}/needy").json()
    assert [it["blocker"]["kind"] for it in missing["roots"]] == ["missing-attribute"]

    value = {"change": "set-attribute", "name": "site/name", "value": "north"}
    commit(api, {**value, "scope": "node", "subject": name})
    settled(api, f"{name}/needy")


def test_deployment_shows_its_values(api: httpx.Client) -> None:
    api.post("/deployments", json={"name": "rack-v"}).raise_for_status()
    value = {"change": "set-attribute", "name": "site/name", "value": "south"}
    commit(api, value, deployment="rack-v")
    shown = api.get("/deployments/rack-v").json()

    assert shown["attributes"] == {"site/name": "south"}
    assert shown["parent"] == "system"
    problem(api.post("/deployments", json={"name": "rack-v"}), 409, "conflict")


# -- secrets ---------------------------------------------------------------------------------------


def test_no_secret_comes_out_of_any_answer_log_or_file(served: Served, api: httpx.Client) -> None:
    name = add_node(api)
    credential = {"username": "root", "password": CANARY}
    assert api.put("/credentials/rack", json=credential).status_code == 204
    value = {"change": "set-attribute", "name": "site/password", "value": CANARY}
    commit(api, {**value, "scope": "node", "subject": name})
    commit(api, {"change": "bind", "role": "private", "node": name})
    settled(api, f"{name}/private")
    # Also where a value is refused, it is not repeated.
    short = {"change": "set-attribute", "name": "site/password", "value": [CANARY]}
    refused = [
        propose(api, {**short, "value": "x"}),
        propose(api, {**value, "name": "site/passwor"}),
        api.put("/credentials/rack", json={"username": {"x": CANARY}, "password": [CANARY]}),
    ]
    paths = [
        *("/credentials", f"/nodes/{name}", "/nodes", "/proposals", "/events?limit=1000"),
        *("/runs?limit=1000", "/deployments", "/node-roles?limit=1000", f"/graph/nodes/{name}"),
        *("/holds", f"/why/{name}/private", "/catalog/roles"),
    ]
    answers = [api.get(path) for path in paths]

    assert [200] * len(answers) == [it.status_code for it in answers]
    assert [400, 400, 422] == [it.status_code for it in refused]
    assert [] == [it.request.url.path for it in [*answers, *refused] if CANARY in it.text]
    assert "***" in api.get("/proposals").text
    files = [path for path in served.data_dir.parent.rglob("*") if path.is_file()]
    assert [] == [path.name for path in files if CANARY.encode() in path.read_bytes()]


def test_credential_set_is_listed_without_its_password(api: httpx.Client) -> None:
    body = {"username": "admin", "password": "pass-word-7", "position": 3}
    api.put("/credentials/listed", json=body).raise_for_status()
    found = [it for it in api.get("/credentials").json()["items"] if it["name"] == "listed"]

    assert found == [{"name": "listed", "deployment": "system", "username": "admin", "position": 3}]


# -- runs, graph, catalog --------------------------------------------------------------------------


def test_log_of_a_run_is_read_from_an_offset(served: Served, api: httpx.Client) -> None:
    name = add_node(api, goal="broken")
    in_error(api, f"{name}/broken")
    run = api.get("/runs", params={"node": name}).json()["items"][0]["id"]
    empty = api.get(f"/runs/{run}/log")
    (served.data_dir / "runs").joinpath(f"{run}.log").write_text("first\nsecond\nhalf")
    whole = api.get(f"/runs/{run}/log")
    rest = api.get(f"/runs/{run}/log", params={"offset": 6})

    assert (empty.text, empty.headers["x-next-offset"]) == ("", "0")
    assert (whole.text, whole.headers["x-next-offset"]) == ("first\nsecond\n", "13")
    assert rest.text == "second\n"
    assert whole.headers["x-run-open"] == "false"


def test_graphs_are_accepted_by_graphviz(api: httpx.Client) -> None:
    name = add_node(api, goal="settle")
    for path in ("/graph/roles", f"/graph/nodes/{name}", "/graph/deployments/system"):
        answer = api.get(path)
        drawn = subprocess.run(
            ["dot", "-Tplain"], input=answer.text, text=True, capture_output=True, check=True
        )

        assert answer.headers["content-type"].startswith("text/vnd.graphviz")
        assert "settle" in drawn.stdout


def test_role_is_shown_with_its_attributes(api: httpx.Client) -> None:
    role = api.get("/catalog/roles/private").json()

    assert [(it["name"], it["secret"]) for it in role["attributes"]] == [("site/password", True)]
    assert "names" in [it["name"] for it in api.get("/catalog/roles").json()["items"]]


def test_check_tells_every_problem_of_the_files_given(api: httpx.Client) -> None:
    files = {"a.yml": "role: b\nsummary: x\n", "c.yml": "role: c\nsummary: x\njig: nop\n"}
    problems = api.post("/catalog/check", json={"files": files}).json()["problems"]
    sound = api.post(
        "/catalog/check", json={"files": {"a.yml": "role: a\nsummary: A.\njig: noop\n"}}
    )

    assert {"annotations/a.yml", "annotations/c.yml"} == {it["file"] for it in problems}
    assert sound.json() == {"problems": []}


def test_scan_of_silent_addresses_ends_with_nothing_found(api: httpx.Client) -> None:
    started = api.post("/scans", json={"ranges": ["127.251.0.1-127.251.0.2"]})
    scan = started.json()
    deadline = time.monotonic() + 20
    while scan["state"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.1)
        scan = api.get(f"/scans/{scan['id']}").json()

    assert started.status_code == 202
    assert started.headers["location"] == f"/api/v1/scans/{scan['id']}"
    assert (scan["state"], scan["done"], scan["total"], scan["found"]) == ("done", 2, 2, 0)


# -- boot ------------------------------------------------------------------------------------------


def test_unknown_machine_gets_a_script_that_is_harmless(served: Served) -> None:
    query = "mac=02:00:00:00:00:01&uuid=&serial=&arch=x86_64"
    answer = httpx.get(f"{served.url}/boot/ipxe?{query}", trust_env=False)

    assert answer.status_code == 200
    assert answer.text.startswith("#!ipxe\n")
    assert answer.text.rstrip().endswith("exit")
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", ["mac", "uuid", "serial", "arch"])
@pytest.mark.parametrize("value", ["\x1b[2J", "a\nb", "\x7f", "\x9b2J", "\u202e", "a" * 129])
def test_machine_that_says_what_no_firmware_says_is_refused_and_not_noted(
    served: Served, name: str, value: str
) -> None:
    asked = httpx.get(f"{served.url}/boot/ipxe", params={name: value}, trust_env=False)

    problem(asked, 400, "bad-request")
    assert value not in asked.text


def test_boot_script_wants_a_mac_that_is_one(served: Served) -> None:
    def ask(mac: str) -> httpx.Response:
        return httpx.get(f"{served.url}/boot/ipxe", params={"mac": mac}, trust_env=False)

    problem(ask("52:54:00"), 400, "bad-request")
    assert [ask(mac).status_code for mac in ("", "52-54-00-AB-CD-EF")] == [200, 200]


def test_boot_routes_want_the_token_of_the_boot(served: Served) -> None:
    url = f"{served.url}/boot"
    wrong = {"Authorization": "Bearer wrong"}
    problem(httpx.get(f"{url}/plan", trust_env=False), 401, "unauthenticated")
    problem(httpx.get(f"{url}/plan", headers=wrong, trust_env=False), 403, "refused")
    told = httpx.post(f"{url}/callback/inventory", json={}, headers=wrong, trust_env=False)
    problem(told, 403, "refused")
    odd = httpx.post(f"{url}/callback/odd", json={}, headers=wrong, trust_env=False)
    problem(odd, 422, "request-invalid")


def test_api_token_opens_no_boot(served: Served) -> None:
    headers = {"Authorization": f"Bearer {served.token}"}

    problem(httpx.get(f"{served.url}/boot/plan", headers=headers, trust_env=False), 403, "refused")


def test_boot_files_stay_below_their_folder(served: Served) -> None:
    (served.data_dir / "boot").mkdir(exist_ok=True)
    (served.data_dir / "boot" / "kernel").write_bytes(b"\x7fELF")
    found = subprocess.run(
        [curl(), "-s", f"{served.url}/boot/files/kernel"], capture_output=True, check=True
    )
    outside = subprocess.run(
        [
            *(curl(), "-s", "-o", "/dev/null", "-w", "%{http_code}", "--path-as-is"),
            f"{served.url}/boot/files/../api-token",
        ],
        capture_output=True,
        check=True,
        text=True,
    )
    encoded = httpx.get(f"{served.url}/boot/files/%2e%2e/api-token", trust_env=False)

    assert found.stdout == b"\x7fELF"
    assert outside.stdout == "404"
    assert encoded.status_code == 404


def test_ssh_key_is_our_public_one(served: Served) -> None:
    answer = httpx.get(f"{served.url}/boot/ssh-key", trust_env=False)

    assert answer.text.startswith("ssh-ed25519 ")


# -- documentation ---------------------------------------------------------------------------------


def test_openapi_describes_refusals_as_problems(served: Served) -> None:
    document = httpx.get(f"{served.url}/api/v1/openapi.json", trust_env=False).json()
    operations = [
        (method, path, operation)
        for path, found in document["paths"].items()
        for method, operation in found.items()
    ]
    problems = {
        (method, path, status): list(response["content"])
        for method, path, operation in operations
        for status, response in operation["responses"].items()
        if status[0] == "4" and (path, status) != ("/api/v1/anneal", "409")
    }

    assert document["openapi"].startswith("3.1")
    assert {("application/problem+json",)} == {tuple(it) for it in problems.values()}
    assert [] == [path for _, path, operation in operations if not operation.get("summary")]
    assert "HTTPValidationError" not in json.dumps(document)


def test_documentation_loads_nothing_from_anywhere(served: Served) -> None:
    page = httpx.get(f"{served.url}/docs", trust_env=False)

    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for loading in ("<script", "<link", "<img", "src=", "@import", "url("):
        assert loading not in page.text
    assert "/api/v1/nodes/{name}/power" in page.text
