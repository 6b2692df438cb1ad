"""The store on SQLite: the contract, its file, its locks, its secrets."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from readystate.adapters.store.database import READERS
from readystate.adapters.store.migrations import (
    SchemaMismatch,
    check_schema,
    is_new,
    upgrade,
)
from readystate.adapters.store.refusals import StoreError
from readystate.adapters.store.sql_store import KEY_FILE, SqlStore
from readystate.domain.deployment import AttributeScope, Proposal, ProposalState, SetAttribute
from readystate.domain.errors import Conflict
from readystate.domain.events import Event
from readystate.domain.ids import RunId
from readystate.domain.secret import Secret
from readystate.ports.store import CredentialSet, Transaction
from tests.contracts.store_contract import StoreContract
from tests.contracts.store_cost_contract import CostContract
from tests.protocol.stores import NOW, StoreRig, add_site, book_for, empty_sqlite, open_rig

PLAIN = "correct-horse-battery"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("template") / "template.db"


@pytest.fixture
def rig(tmp_path: Path, template: Path) -> Iterator[StoreRig]:
    with open_rig(empty_sqlite(tmp_path, template), tmp_path) as opened:
        yield opened


class TestStoreOnSqlite(StoreContract):
    pass


class TestCostOnSqlite(CostContract):
    pass


def write_secrets(tx: Transaction) -> None:
    site = add_site(tx)
    secret = Secret(PLAIN)
    tx.put_credentials(CredentialSet("site", site.system, "root", secret, 0))
    tx.set_attribute(AttributeScope.NODE, 1, "password", secret)
    tx.put_document("boot-plan", "1", {"deep": [{"token": secret}]})
    change = SetAttribute(AttributeScope.NODE, 1, "password", secret)
    tx.add_proposal(Proposal(0, site.system, "", (change,), ProposalState.OPEN, "ada", NOW))
    tx.append(Event("a", NOW, data={"password": secret}))
    tx.record_input(RunId(1), {"password": secret})


def test_no_secret_stands_in_the_files_in_plain_text(rig: StoreRig) -> None:
    rig.store.write(write_secrets, kind="secrets")
    rig.store.close()
    files = [path for path in rig.data_dir.iterdir() if path.is_file()]

    assert rig.data_dir / "store.db" in files
    assert [] == [path for path in files if PLAIN.encode() in path.read_bytes()]


def test_the_key_is_for_its_owner_alone_and_read_again(rig: StoreRig) -> None:
    rig.store.write(write_secrets, kind="secrets")

    assert 0o600 == (rig.data_dir / KEY_FILE).stat().st_mode & 0o777
    found = rig.reopened().read(lambda reader: reader.attribute_layers(AttributeScope.NODE, 1))
    assert {"password": Secret(PLAIN)} == found


def test_a_key_that_others_can_read_is_refused(rig: StoreRig) -> None:
    (rig.data_dir / KEY_FILE).chmod(0o644)

    with pytest.raises(StoreError, match="can be read by others"):
        rig.reopened()


def test_an_empty_key_file_is_refused_and_not_replaced(rig: StoreRig) -> None:
    (rig.data_dir / KEY_FILE).write_text("")

    with pytest.raises(StoreError, match="no key"):
        rig.reopened()
    assert "" == (rig.data_dir / KEY_FILE).read_text()


def test_a_secret_of_a_lost_key_says_so(rig: StoreRig) -> None:
    rig.store.write(write_secrets, kind="secrets")
    (rig.data_dir / KEY_FILE).unlink()
    store = rig.reopened()

    with pytest.raises(StoreError, match="another key"):
        store.read(lambda reader: reader.attribute_layers(AttributeScope.NODE, 1))


def test_what_rests_on_a_secret_survives_a_rotation(rig: StoreRig) -> None:
    def mark(store: SqlStore) -> str:
        found = store.read(lambda reader: reader.attribute_layers(AttributeScope.NODE, 1))
        return str(found["password"].mark)

    rig.store.write(write_secrets, kind="secrets")
    before = mark(rig.store)
    key_file = rig.data_dir / KEY_FILE
    key_file.write_text(f"{Fernet.generate_key().decode()}\n{key_file.read_text()}")

    assert before
    assert before == mark(rig.reopened())


def test_rotation_seals_everything_with_the_new_key(rig: StoreRig) -> None:
    rig.store.write(write_secrets, kind="secrets")
    key_file = rig.data_dir / KEY_FILE
    new_key = Fernet.generate_key().decode()
    key_file.write_text(f"{new_key}\n{key_file.read_text()}")

    assert 4 == rig.reopened().reseal()
    key_file.write_text(f"{new_key}\n")
    store = rig.reopened()
    attributes = store.read(lambda reader: reader.attribute_layers(AttributeScope.NODE, 1))
    credentials = store.read(lambda reader: reader.credentials(reader.deployments()[0].id))
    (proposal,) = store.read(lambda reader: reader.proposals())
    document = store.read(lambda reader: reader.document("boot-plan", "1"))

    assert {"password": Secret(PLAIN)} == attributes
    assert [Secret(PLAIN)] == [item.password for item in credentials]
    assert {"deep": [{"token": Secret(PLAIN)}]} == document
    assert (SetAttribute(AttributeScope.NODE, 1, "password", Secret(PLAIN)),) == proposal.changes


def test_readers_that_wait_too_long_are_told_so(
    rig: StoreRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rig.store._reading.pool, "_timeout", 0.05)

    def read_deeper(depth: int) -> int:
        return rig.store.read(lambda _reader: read_deeper(depth - 1)) if depth else 0

    assert 0 == read_deeper(READERS)
    with pytest.raises(StoreError, match="too busy"):
        read_deeper(READERS + 1)


def test_a_second_process_is_refused_with_the_first_ones_pid(rig: StoreRig) -> None:
    program = (
        "import sys, pathlib\n"
        "from readystate.adapters.store.sql_store import SqlStore\n"
        "SqlStore(sys.argv[1], data_dir=pathlib.Path(sys.argv[2]), book_for=None)\n"
    )
    second = subprocess.run(
        [sys.executable, "-c", program, rig.url, str(rig.data_dir)], capture_output=True, text=True
    )

    assert 1 == second.returncode
    assert f"Store already in use by pid {os.getpid()}" in second.stderr


def test_a_second_store_in_this_process_is_refused_until_the_first_closes(rig: StoreRig) -> None:
    with pytest.raises(Conflict, match="already in use"):
        SqlStore(rig.url, data_dir=rig.data_dir, book_for=book_for)
    with pytest.raises(Conflict, match="already in use"):
        upgrade(rig.url)
    rig.store.close()

    SqlStore(rig.url, data_dir=rig.data_dir, book_for=book_for).close()


def test_an_opening_that_fails_lets_the_next_one_in(rig: StoreRig) -> None:
    rig.store.close()
    (rig.data_dir / KEY_FILE).chmod(0o644)
    with pytest.raises(StoreError):
        SqlStore(rig.url, data_dir=rig.data_dir, book_for=book_for)
    (rig.data_dir / KEY_FILE).chmod(0o600)

    SqlStore(rig.url, data_dir=rig.data_dir, book_for=book_for).close()


def test_a_database_in_memory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="file"):
        SqlStore("sqlite://", data_dir=tmp_path, book_for=book_for)


def test_what_sqlite_cannot_do_is_a_store_error(rig: StoreRig) -> None:
    rig.store.close()
    (rig.data_dir / "store.db").write_bytes(b"not a database" * 1000)
    (rig.data_dir / "store.db-wal").unlink(missing_ok=True)
    store = rig.reopened()

    with pytest.raises(StoreError, match="not a database"):
        store.read(lambda reader: reader.deployments())


def test_a_write_holds_the_lock_before_it_has_read_anything(rig: StoreRig) -> None:
    def look(_tx: Transaction) -> None:
        with closing(sqlite3.connect(rig.data_dir / "store.db", timeout=0)) as other:
            other.execute("BEGIN IMMEDIATE")

    with pytest.raises(sqlite3.OperationalError, match="locked"):
        rig.store.write(look, kind="look")


def test_commits_are_synced_in_full_and_references_held(rig: StoreRig) -> None:
    def pragmas(tx: Transaction) -> list[object]:
        return [
            tx._connection.fetch(f"PRAGMA {name}")[0][0]  # type: ignore[attr-defined]
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]

    assert ["wal", 2, 1] == rig.store.write(pragmas, kind="look")


# -- the schema ------------------------------------------------------------------------------------


def test_a_new_database_is_told_from_one_that_needs_an_upgrade(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"

    assert is_new(url)
    with pytest.raises(SchemaMismatch, match="no schema") as refused:
        check_schema(url)
    assert "readystate db upgrade" == refused.value.hint

    upgrade(url)
    check_schema(url)
    upgrade(url)
    assert not is_new(url)


def test_the_schema_of_a_newer_release_is_refused(rig: StoreRig) -> None:
    rig.store.close()
    with sqlite3.connect(rig.data_dir / "store.db") as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(SchemaMismatch, match="9999"):
        check_schema(rig.url)
    with pytest.raises(SchemaMismatch, match="9999"):
        upgrade(rig.url)
