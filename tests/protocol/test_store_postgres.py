"""The store on PostgreSQL: the contract, and what only its server can tell."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from readystate.adapters.store import write_lock
from readystate.adapters.store.migrations import (
    SchemaMismatch,
    check_schema,
    is_new,
    upgrade,
)
from readystate.adapters.store.refusals import StoreError
from readystate.adapters.store.sql_store import SqlStore
from readystate.adapters.store.tables import metadata
from readystate.domain.errors import Conflict
from tests.contracts.store_contract import StoreContract
from tests.contracts.store_cost_contract import CostContract
from tests.postgres import PostgresServer
from tests.protocol.stores import StoreRig, add_site, book_for, open_rig


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


def test_a_second_store_is_refused_until_the_first_closes(rig: StoreRig) -> None:
    with pytest.raises(Conflict, match=f"in use by readystate pid {os.getpid()} at ") as caught:
        SqlStore(rig.url, data_dir=rig.data_dir, book_for=book_for)
    assert "stop the other `readystate serve`" in caught.value.hint
    with pytest.raises(Conflict, match="already in use"):
        upgrade(rig.url)
    rig.store.close()

    SqlStore(rig.url, data_dir=rig.data_dir, book_for=book_for).close()


def test_who_lost_the_right_to_write_stops_until_it_is_free_again(rig: StoreRig) -> None:
    rig.store.write(add_site, kind="setup")
    engine = create_engine(rig.url, poolclass=NullPool)
    cut_all_connections(engine)
    with engine.connect() as other:
        raw = other.connection.driver_connection
        write_lock.take_advisory_lock(raw)
        with pytest.raises(StoreError, match="already in use"):
            rig.store.write(lambda tx: tx.deployments(), kind="look")
        assert 2 == rig.store.read(lambda reader: len(reader.deployments()))
        other.invalidate()

    assert 2 == rig.store.write(lambda tx: len(tx.deployments()), kind="look")


def cut_all_connections(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )


def test_a_connection_that_broke_is_replaced(rig: StoreRig) -> None:
    rig.store.write(add_site, kind="setup")
    engine = create_engine(rig.url)
    cut_all_connections(engine)
    engine.dispose()

    assert 2 == rig.store.write(lambda tx: len(tx.deployments()), kind="look")


def test_a_server_that_does_not_answer_is_a_store_error(tmp_path: Path) -> None:
    url = f"postgresql+psycopg://postgres@/none?host={tmp_path}"

    with pytest.raises(StoreError, match="postgresql"):
        SqlStore(url, data_dir=tmp_path, book_for=book_for)


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
