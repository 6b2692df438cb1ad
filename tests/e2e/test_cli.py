"""The CLI against a real server: what it prints, what it refuses, with which exit code."""

import io
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from readystate.cli.app import run
from tests.e2e.serving import Served, serving
from tests.e2e.test_api import CANARY, add_node, in_error, settled
from tests.expected import Golden


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    def json(self) -> Any:
        assert self.code == 0, self.err
        return json.loads(self.out)


Cli = Callable[..., Said]


@pytest.fixture
def cli(served: Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a command in this process, as `main` does; `text` is what is piped into it."""
    return cli_for(served, monkeypatch, capsys)


def cli_for(
    served: Served, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Cli:
    for name, value in served.environment().items():
        monkeypatch.setenv(name, value)

    def say(*args: str, text: str = "") -> Said:
        monkeypatch.setattr(sys, "argv", ["readystate", *args])
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            run()
        out, err = capsys.readouterr()
        code = left.value.code
        return Said(code if isinstance(code, int) else 0, out, err)

    return say


# -- nodes, plans, waiting -------------------------------------------------------------------------


def test_node_goes_from_import_to_settled_by_commands_alone(cli: Cli, api: httpx.Client) -> None:
    added = cli("nodes", "import", "cli-1", "--bmc", "127.240.0.1", "-o", "json").json()
    settled(api, "cli-1/start")
    plan = cli("plan", "--bind", "settle", "--nodes", "cli-1", "-o", "json").json()
    done = cli("commit", str(plan["proposal"]), "--digest", plan["digest"])
    settled(api, "cli-1/settle")
    listed = cli("nodes", "list").out
    shown = cli("nodes", "show", "cli-1").out

    assert [it["name"] for it in added] == ["cli-1"]
    assert [it["role"] for it in plan["added"]] == ["settle"]
    assert done.code == 0
    assert "is committed" in done.out
    (line,) = [it for it in listed.splitlines() if it.startswith("cli-1 ")]
    assert line.split()[:4] == ["cli-1", "settled", "settle", "2/2"]
    assert "127.240.0.1 redfish" in shown
    assert "settle" in shown


def test_a_goal_of_imported_nodes_is_an_open_proposal(cli: Cli) -> None:
    said = cli("nodes", "import", "cli-goal", "--bmc", "127.240.0.9", "--goal", "wiped")
    told = re.search(r"proposal (\d+) is open: readystate plan \1", said.err)
    assert told is not None, said
    plan = cli("plan", told[1])

    assert said.code == 0
    assert "cli-goal/wiped" in plan.out


def test_nodes_are_imported_from_a_file(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "nodes.yml"
    file.write_text("- {name: file-1, bmc: [{address: 127.240.1.1, protocol: ipmi}]}\n")
    said = cli("nodes", "import", "--file", str(file), "-o", "yaml")

    assert [it["name"] for it in yaml.safe_load(said.out)] == ["file-1"]


def test_plan_for_people_names_what_is_destroyed(cli: Cli, api: httpx.Client) -> None:
    name = add_node(api)
    said = cli("plan", "--bind", "wiped", "--nodes", name)

    assert said.code == 0
    assert "DESTROY DATA:" in said.out
    assert f"{name}/wiped: disks not seen yet: blank only; the commit confirms it" in said.out
    number = said.out.split()[1]
    assert f"readystate commit {number} --digest " in said.out
    assert cli("proposals", "discard", number).code == 0


def test_refused_plan_leaves_no_proposal_behind(cli: Cli, api: httpx.Client) -> None:
    name = add_node(api, goal="settle")
    settled(api, f"{name}/start")
    before = cli("proposals", "list", "--open", "-o", "json").json()
    said = cli("plan", "--recommit", f"{name}/start")

    assert said.code == 5
    assert before == cli("proposals", "list", "--open", "-o", "json").json()


def test_commit_asks_before_it_does(cli: Cli, api: httpx.Client) -> None:
    name = add_node(api)
    number = str(cli("plan", "--bind", "settle", "--nodes", name, "-o", "json").json()["proposal"])
    no = cli("commit", number, text="n\n")
    yes = cli("commit", number, text="y\n")

    assert no.code == 1
    assert "Commit it?" in no.out
    assert yes.code == 0
    settled(api, f"{name}/settle")


def test_value_is_set_at_a_node(cli: Cli, api: httpx.Client) -> None:
    name = add_node(api, goal="needy")
    said = cli("plan", "--set", "site/name=east", "--at", f"node:{name}", "-o", "json").json()
    cli("commit", str(said["proposal"]), "--yes")
    settled(api, f"{name}/needy")


def test_why_tells_cause_and_fix(cli: Cli, api: httpx.Client) -> None:
    name = add_node(api, goal="broken")
    in_error(api, f"{name}/broken")
    of_node = cli("why", name)
    of_role = cli("why", f"{name}/broken", "-o", "json").json()
    everywhere = cli("why")

    assert f"{name}/broken is error" in of_node.out
    assert "because" in of_node.out
    assert f"fix:    readystate retry {name}/broken" in of_node.out
    assert [it["verb"] for it in of_role[0]["fix"]] == ["retry"]
    assert f"{name}/broken" in everywhere.out


def test_explain_bind_tells_each_place_and_binds_nothing(cli: Cli, api: httpx.Client) -> None:
    name = add_node(api)
    settled(api, f"{name}/start")
    found = cli("explain", "bind", "settle", name, "-o", "json").json()
    told = cli("explain", "bind", "settle", name).out

    assert ("start", "same node", True) in [(it["role"], it["place"], it["taken"]) for it in found]
    assert "bound here" in told
    assert 404 == api.get(f"/node-roles/{name}/settle").status_code
    refused = cli("explain", "bind", "settel", name)
    assert (refused.code, "settle" in refused.err) == (3, True), refused


def test_fix_that_why_names_can_be_typed(cli: Cli, api: httpx.Client) -> None:
    name = add_node(api)
    settled(api, f"{name}/start")
    cli("hold", name, "--reason", "moved")
    number = str(cli("plan", "--bind", "settle", "--nodes", name, "-o", "json").json()["proposal"])
    cli("commit", number, "--yes")
    (fix,) = cli("why", f"{name}/settle", "-o", "json").json()[0]["fix"]
    done = cli(*fix["command"].split()[1:])

    assert done.code == 0, done.err
    settled(api, f"{name}/settle")


def test_holds_are_listed_and_lifted(cli: Cli, api: httpx.Client) -> None:
    name = add_node(api, goal="settle")
    cli("hold", f"{name}/settle", "--reason", "wait")
    listed = cli("holds").out

    assert f"{name}/settle" in listed
    assert "wait" in listed
    assert cli("resume", f"{name}/settle").code == 0
    assert cli("resume", f"{name}/settle").code == 3


def test_anneal_exits_by_what_became_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(tmp_path) as served, served.client() as api:
        cli = cli_for(served, monkeypatch, capsys)
        nothing = cli("anneal", "--wait")
        name = add_node(api, goal="broken")
        failed = cli("anneal", "--wait", "--timeout", "30")

    assert nothing.code == 0
    assert nothing.out.startswith("finished")
    assert failed.code == 1
    assert failed.out.startswith("failed")
    assert f"{name}/broken is error" in failed.out


def test_anneal_that_is_still_working_at_the_timeout_exits_with_2(
    cli: Cli, api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from readystate.cli.client import Api

    status = {"state": "working", "counts": {"transition": 1}, "failing": []}
    monkeypatch.setattr(Api, "get_with_status", lambda *_, **__: status)
    said = cli("anneal", "--wait", "--timeout", "0.1")

    assert said.code == 2
    assert said.out == "working: 1 transition\n"


def test_scan_lists_what_was_seen(cli: Cli) -> None:
    said = cli("scan", "127.251.1.1")

    assert said.code == 0
    assert "1 of 1 addresses tried, 0 BMCs found" in said.err


def test_runs_and_their_logs(cli: Cli, api: httpx.Client, served: Served) -> None:
    name = add_node(api, goal="broken")
    in_error(api, f"{name}/broken")
    (run_,) = cli("runs", "list", "--node", name, "-o", "json").json()
    (served.data_dir / "runs" / f"{run_['id']}.log").write_text("one\ntwo\n")
    shown = cli("runs", "show", str(run_["id"])).out

    assert cli("runs", "log", str(run_["id"])).out == "one\ntwo\n"
    assert cli("runs", "log", "-f", str(run_["id"])).out == "one\ntwo\n"
    assert f"of:       {name}/broken" in shown
    assert "invalid" in shown


def test_power_is_asked_for(cli: Cli, api: httpx.Client) -> None:
    name = add_node(api)

    assert "is run" in cli("nodes", "power", name, "cycle").out
    assert cli("nodes", "power", name, "explode").code == 2


def test_events_are_printed_and_followed(cli: Cli, api: httpx.Client, served: Served) -> None:
    name = add_node(api)
    printed = cli("events", "--kind", "node.enrolled").out
    command = [sys.executable, "-m", "readystate", "events", "-f", "-o", "json"]
    process = subprocess.Popen(
        [*command, "--after", "0"], env=served.environment(), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        first = json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()

    assert name in printed
    assert first["id"] >= 1


def test_graph_is_dot(cli: Cli, api: httpx.Client) -> None:
    name = add_node(api)

    assert cli("graph", "--dot").out.startswith('digraph "roles" {')
    assert cli("graph", "--node", name).out.startswith(f'digraph "{name}" {{')
    assert cli("graph", "--deployment", "system").out.startswith('digraph "system" {')


def test_deployments_are_added_and_shown(cli: Cli) -> None:
    assert cli("deployments", "add", "rack-cli").code == 0
    assert yaml.safe_load(cli("deployments", "show", "rack-cli").out)["parent"] == "system"
    assert "rack-cli" in cli("deployments", "list").out


# -- secrets ---------------------------------------------------------------------------------------


def test_password_is_read_from_a_pipe_or_file_and_never_shown(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f"{CANARY}\n")
    piped = cli("credentials", "set", "piped", "--username", "root", text=f"{CANARY}\n")
    filed = cli("credentials", "set", "f", "--username", "root", "--password-file", str(file))
    listed = cli("credentials", "list", "-o", "json")

    assert (piped.code, filed.code) == (0, 0)
    assert {"piped", "f"} <= {it["name"] for it in listed.json()}
    assert CANARY not in piped.out + piped.err + filed.out + listed.out


def test_password_is_no_argument(cli: Cli) -> None:
    said = cli("credentials", "set", "x", "--username", "root", "--password", CANARY)

    assert said.code == 2
    assert CANARY not in said.out + said.err


def test_empty_password_is_refused(cli: Cli) -> None:
    assert cli("credentials", "set", "x", "--username", "root", text="\n").code == 6


def test_secret_value_that_is_no_yaml_is_not_repeated(cli: Cli) -> None:
    said = cli("plan", "--set", f"site/password=[{CANARY}")

    assert said.code == 6
    assert CANARY not in said.out + said.err


# -- refusals --------------------------------------------------------------------------------------


def test_refusals_are_told_in_three_lines(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    golden: Golden,
) -> None:
    """On a server of its own: what other tests leave behind would show."""
    with serving(tmp_path) as served, served.client() as api:
        cli = cli_for(served, monkeypatch, capsys)
        api.post("/nodes", json={"nodes": [{"name": "golden-1"}]})
        settled(api, "golden-1/start")
        session = refused_session(cli, served)
    for real, stands_for in ((str(served.data_dir), "DATA"), (served.url, "http://SERVER")):
        session = session.replace(real, stands_for)

    golden.check("cli/refusals.txt", re.sub(r"\(\d+\)", "(ID)", session))


def refused_session(cli: Cli, served: Served) -> str:
    commands = [
        ("nodes", "show", "golden-2"),
        ("nodes", "import", "golden 3"),
        ("nodes", "import", "golden-1"),
        ("retry", "golden-1/start"),
        ("cancel", "golden-1/start"),
        ("retry", "golden-1/star"),
        ("retry", "golden-2/start"),
        ("resume", "golden-1"),
        ("hold",),
        ("plan",),
        ("commit", "999999"),
        ("plan", "--bind", "sette", "--nodes", "golden-1"),
        ("plan", "--set", "site/nam=x"),
        ("plan", "--set", "site/name"),
        ("plan", "--at", "moon:1", "--set", "site/name=x"),
        ("runs", "show", "999999"),
        ("scan", "10.0.0.0/8"),
        ("sightings", "enroll", "127.1.2.3"),
        ("--token-file", str(served.data_dir / "none"), "nodes", "list"),
        ("--url", "http://127.0.0.1:9", "--token-file", str(served.data_dir / "api-token"), "why"),
    ]
    session = ""
    for command in commands:
        said = cli(*command)
        session += f"$ readystate {' '.join(command)}\n{said.err}{said.out}[{said.code}]\n\n"
    return session


def test_wrong_token_is_told_from_none(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = tmp_path / "token"
    wrong.write_text("rds_00000000_" + "x" * 43)
    wrong.chmod(0o600)
    refused = cli("--token-file", str(wrong), "nodes", "list")
    wrong.chmod(0o644)
    open_to_all = cli("--token-file", str(wrong), "nodes", "list")
    monkeypatch.setenv("READYSTATE_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("readystate.cli.target.find_rack", lambda: None)
    monkeypatch.setenv("HOME", str(tmp_path))
    absent = cli("nodes", "list")

    assert (refused.code, open_to_all.code, absent.code) == (4, 6, 4)
    assert "opens nothing" in refused.err
    assert "chmod 600" in open_to_all.err
    assert "no token for" in absent.err
    assert "xxxx" not in refused.err + open_to_all.err


def test_local_token_goes_to_no_other_server(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/nowhere")

    assert cli("--url", "http://127.0.0.1:9", "nodes", "list").code == 4


def test_answer_of_a_stranger_is_a_failure_of_the_server(
    cli: Cli, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some other web server listens there."""
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(500, "odd")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Stranger) as stranger:
        threading.Thread(target=stranger.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{stranger.server_port}"
        token = str(served.data_dir / "api-token")
        said = cli("--url", url, "--token-file", token, "nodes", "list")

    assert said.code == 8
    assert "not an answer of readystate" in said.err


# -- offline ---------------------------------------------------------------------------------------


def test_check_needs_no_server(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "annotations"
    folder.mkdir()
    empty = cli("check", str(folder))
    (folder / "a.yml").write_text("role: a\nsummary: A.\njig: noop\n")
    sound = cli("check", str(folder))
    (folder / "b.yml").write_text("role: c\nsummary: B.\njig: noop\nrequires: [none]\n")
    broken = cli("check", str(folder))
    as_json = cli("check", str(folder), "-o", "json")

    assert empty.code == 1
    assert f"no annotation files in {folder}" in empty.out
    assert (sound.code, sound.out) == (0, f"{folder}: sound\n")
    assert broken.code == 1
    assert "annotations/b.yml:4" in broken.out
    assert {it["line"] for it in json.loads(as_json.out)} == {1, 4}
    assert cli("check", str(tmp_path / "none")).code == 3


def test_shipped_annotations_are_sound(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("READYSTATE_ANNOTATIONS_DIR", raising=False)

    assert cli("check").code == 0


def test_second_server_on_the_same_data_is_refused(served: Served) -> None:
    command = [sys.executable, "-m", "readystate", "serve", "--data-dir", str(served.data_dir)]
    said = subprocess.run(
        [*command, "--port", str(_other_port(served))],
        env=served.environment() | {"READYSTATE_API_URL": "http://127.0.0.1:1"},
        capture_output=True,
        text=True,
    )

    assert said.returncode == 5
    assert f"pid {served.pid}" in said.stderr
    assert "Traceback" not in said.stderr


def _other_port(served: Served) -> int:
    from tests.e2e.serving import free_port

    return free_port()


def test_port_that_is_taken_is_refused(served: Served, tmp_path: Path) -> None:
    port = served.url.rpartition(":")[2]
    said = subprocess.run(
        [*(sys.executable, "-m", "readystate", "serve"), "--data-dir", tmp_path, "--port", port],
        env={key: it for key, it in os.environ.items() if not key.startswith("READYSTATE_")},
        capture_output=True,
        text=True,
    )

    assert said.returncode == 5
    assert "cannot listen" in said.stderr
    assert not list(tmp_path.iterdir())


def test_no_process_shows_a_token_or_password(served: Served) -> None:
    command = [sys.executable, "-m", "readystate", "events", "-f"]
    process = subprocess.Popen(command, env=served.environment(), stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        seen = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        server = Path(f"/proc/{served.pid}/cmdline").read_bytes()
    finally:
        process.terminate()
        process.wait()

    assert served.token.encode() not in seen + server
