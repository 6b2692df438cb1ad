"""Starting and stopping the process: the first start, the next one, an old schema, a crash."""

import os
import signal
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from readystate.bootstrap import AnnealerDied, build, serve
from readystate.engine.annealer import Annealer
from readystate.settings import Settings, load_settings
from tests.e2e.serving import START_DEADLINE_S, free_port


def settings_in(folder: Path, **more: Any) -> Settings:
    return load_settings(data_dir=folder, **more)


def command(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "readystate", *args],
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=60,
    )


def environment(folder: Path) -> dict[str, str]:
    kept = {key: it for key, it in os.environ.items() if not key.startswith("READYSTATE_")}
    return {**kept, "READYSTATE_DATA_DIR": str(folder), "READYSTATE_API_PORT": str(free_port())}


def test_first_start_makes_a_token_and_later_ones_do_not(tmp_path: Path) -> None:
    first = build(settings_in(tmp_path))
    first.stop()
    second = build(settings_in(tmp_path))
    second.stop()

    assert first.first_token is not None
    assert second.first_token is None


def test_first_start_puts_the_shipped_roles_in_force(tmp_path: Path) -> None:
    application = build(settings_in(tmp_path))
    try:
        (system,) = application.store.read(lambda reader: reader.deployments())
        catalog = application.services.catalog_of(system.catalog_version)
    finally:
        application.stop()

    assert ("system", None) == (system.name, system.parent_id)
    assert "ready" in catalog.roles


@pytest.mark.parametrize("verify", [False, True])
def test_certificates_of_bmcs_are_verified_where_the_setting_says_so(
    tmp_path: Path, verify: bool
) -> None:
    application = build(settings_in(tmp_path, bmc_tls_verify=verify))
    application.stop()

    assert verify == (application.hammers._tls.verify_mode is ssl.CERT_REQUIRED)


def test_changed_annotations_take_no_effect_by_a_start_alone(tmp_path: Path) -> None:
    annotations = tmp_path / "annotations"
    annotations.mkdir()
    (annotations / "a.yml").write_text("role: a\nsummary: A.\njig: noop\n")
    settings = settings_in(tmp_path / "data", annotations_dir=annotations)
    first = build(settings)
    first.stop()
    (annotations / "b.yml").write_text("role: b\nsummary: B.\njig: noop\n")
    second = build(settings)
    try:
        (system,) = second.store.read(lambda reader: reader.deployments())
        roles = second.services.catalog_of(system.catalog_version).roles
    finally:
        second.stop()

    assert {"a"} == set(roles)


def test_broken_annotations_refuse_the_start(tmp_path: Path) -> None:
    annotations = tmp_path / "annotations"
    annotations.mkdir()
    (annotations / "a.yml").write_text("role: b\nsummary: A.\njig: noop\n")
    said = subprocess.run(
        [sys.executable, "-m", "readystate", "serve"],
        env=environment(tmp_path / "data") | {"READYSTATE_ANNOTATIONS_DIR": str(annotations)},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert 6 == said.returncode
    assert "annotations/a.yml:1" in said.stderr
    assert "Traceback" not in said.stderr


def test_schema_that_cannot_be_served_is_refused_with_the_command_to_run(tmp_path: Path) -> None:
    build(settings_in(tmp_path)).stop()
    with sqlite3.connect(tmp_path / "readystate.db") as database:
        database.execute("DROP TABLE alembic_version")
    database.close()
    said = command(tmp_path, "serve")

    assert 1 == said.returncode
    assert "readystate: the database has no schema" in said.stderr
    assert "hint: readystate db upgrade" in said.stderr


def test_database_is_upgraded_by_command(tmp_path: Path) -> None:
    said = command(tmp_path, "db", "upgrade")
    again = command(tmp_path, "db", "upgrade")

    assert (0, 0) == (said.returncode, again.returncode)
    build(settings_in(tmp_path)).stop()


def test_process_that_was_killed_starts_again(tmp_path: Path) -> None:
    environ = environment(tmp_path)
    url = f"http://127.0.0.1:{environ['READYSTATE_API_PORT']}/readyz"
    for sig, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 0)):
        process = subprocess.Popen(
            [sys.executable, "-m", "readystate", "serve"],
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _wait_for(url)
        process.send_signal(sig)

        assert code == process.wait(20)


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + START_DEADLINE_S
    while True:
        try:
            if httpx.get(url, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            assert time.monotonic() < deadline
        time.sleep(0.05)


def test_annealer_that_has_not_started_is_not_ready(tmp_path: Path) -> None:
    application = build(settings_in(tmp_path))
    try:
        before = application.services.is_annealing()
        application.start()
        after = application.services.is_annealing()
        threads = {thread.name for thread in threading.enumerate()}
    finally:
        application.stop()

    assert (False, True) == (before, after)
    assert {"annealer", "reconciler"} <= threads
    assert not application.services.is_annealing()


def test_nothing_is_admitted_while_the_last_runs_finish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    application = build(settings_in(tmp_path))
    application.start()
    was_annealing: list[bool] = []
    monkeypatch.setattr(
        application.dispatcher,
        "close",
        lambda *, grace_s: was_annealing.append(application.services.is_annealing()),
    )

    application.stop()

    assert [False] == was_annealing


def test_stopping_twice_is_harmless_and_frees_the_database(tmp_path: Path) -> None:
    application = build(settings_in(tmp_path))
    application.start()
    application.stop()
    application.stop()

    build(settings_in(tmp_path)).stop()


def test_postgresql_serves_as_well(tmp_path: Path, postgres_database: str) -> None:
    settings = settings_in(tmp_path, database_url=postgres_database)
    application = build(settings)
    application.start()
    try:
        (system,) = application.store.read(lambda reader: reader.deployments())
    finally:
        application.stop()

    assert "system" == system.name
    assert not (tmp_path / "readystate.db").exists()


def test_failed_build_leaves_the_database_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("readystate.bootstrap.load_identity", _refuse)
    with pytest.raises(RuntimeError):
        build(settings_in(tmp_path))
    monkeypatch.undo()

    build(settings_in(tmp_path)).stop()


def test_process_whose_annealer_dies_ends_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_: Annealer) -> float:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(Annealer, "turn", die)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    with pytest.raises(AnnealerDied):
        serve(settings_in(tmp_path, api_port=free_port()), say=lambda _: None)
    monkeypatch.undo()

    build(settings_in(tmp_path)).stop()


def _refuse(_: Path) -> None:
    raise RuntimeError("no identity")
