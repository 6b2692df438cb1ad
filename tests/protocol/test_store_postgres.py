"""The store on PostgreSQL: the contract, and what only several processes can tell."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from readystate.adapters.store.migrations import (
    SchemaMismatch,
    check_schema,
    is_new,
    upgrade,
)
from readystate.adapters.store.refusals import StoreError
from readystate.adapters.store.sql_store import SqlStore
from readystate.adapters.store.tables import metadata
from readystate.ports.store import Transaction
from tests.contracts.store_contract import StoreContract
from tests.contracts.store_cost_contract import CostContract
from tests.postgres import PostgresServer
from tests.protocol.stores import StoreRig, add_node, add_site, book_for, open_rig


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer) -> str:
    """A database with the schema, for the tests of this module one after the other."""
    url = postgres_server.create_database()
    upgrade(url)
    return url


@pytest.fixture
def rig(tmp_path: Path, database: str) -> Iterator[StoreRig]:
    with open_rig(database, tmp_path) as opened:
        yield opened
    engine = create_engine(database)
    with engine.begin() as connection:
        names = ", ".join(table.name for table in metadata.sorted_tables)
        connection.execute(text(f"TRUNCATE {names}"))
    engine.dispose()


class TestStoreOnPostgres(StoreContract):
    pass


class TestCostOnPostgres(CostContract):
    pass


def test_writers_of_two_processes_follow_one_another(rig: StoreRig) -> None:
    site = rig.store.write(add_site, kind="setup")
    other = SqlStore(rig.url, data_dir=rig.data_dir, book_for=book_for)

    def add_five(store: SqlStore) -> None:
        def add_one(tx: Transaction) -> None:
            add_node(tx, site, f"node-{len(tx.nodes())}")

        for _ in range(5):
            store.write(add_one, kind="node")

    threads = [threading.Thread(target=add_five, args=(store,)) for store in (rig.store, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()

    names = {node.name for node in rig.store.read(lambda reader: reader.nodes())}
    assert {f"node-{number}" for number in range(10)} == names


def test_a_connection_that_broke_is_replaced(rig: StoreRig) -> None:
    rig.store.write(add_site, kind="setup")
    engine = create_engine(rig.url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
    engine.dispose()

    assert 2 == rig.store.write(lambda tx: len(tx.deployments()), kind="look")


def test_a_server_that_does_not_answer_is_a_store_error(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://postgres@/none?host={tmp_path}"
    store = SqlStore(url, data_dir=tmp_path, book_for=book_for)

    with pytest.raises(StoreError, match="postgresql"):
        store.read(lambda reader: reader.deployments())
    store.close()


def test_the_schema_is_made_and_others_are_refused(postgres_database: str) -> None:
    assert is_new(postgres_database)
    with pytest.raises(SchemaMismatch, match="no schema"):
        check_schema(postgres_database)
    upgrade(postgres_database)
    check_schema(postgres_database)

    engine = create_engine(postgres_database)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(SchemaMismatch, match="9999"):
        check_schema(postgres_database)
    with pytest.raises(SchemaMismatch, match="9999"):
        upgrade(postgres_database)
