"""The migrations make exactly the schema that `tables` describes, on both databases, and back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, inspect

from readystate.adapters.store.database import Access, open_engine
from readystate.adapters.store.migrations import downgrade, upgrade
from readystate.adapters.store.tables import metadata


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    found: str = request.getfixturevalue("postgres_database")
    return found


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    opened = open_engine(url, Access.MIGRATE)
    yield opened
    opened.dispose()


def checks(engine: Engine) -> dict[str, dict[str, str]]:
    """Table -> CHECK by name, which autogenerate does not compare."""
    inspector = inspect(engine)
    return {
        table: {
            str(check["name"]): "".join(str(check["sqltext"]).split())
            for check in inspector.get_check_constraints(table)
        }
        for table in inspector.get_table_names()
        if table != "alembic_version"
    }


def differences(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))


def test_migrated_schema_is_that_of_the_tables(url: str, engine: Engine) -> None:
    upgrade(url)

    assert [] == differences(engine)


def test_migrated_checks_are_those_of_the_tables(url: str, engine: Engine) -> None:
    upgrade(url)
    migrated = checks(engine)
    downgrade(url, to="base")
    with engine.begin() as connection:
        metadata.create_all(connection)

    assert migrated == checks(engine)
    assert len(migrated["runs"]) == 4


def test_downgrade_takes_everything_away_and_upgrade_brings_it_back(
    url: str, engine: Engine
) -> None:
    upgrade(url)
    downgrade(url, to="base")

    assert {"alembic_version"} == set(inspect(engine).get_table_names())
    upgrade(url)
    assert [] == differences(engine)


def test_a_difference_would_be_found(url: str, engine: Engine) -> None:
    upgrade(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE nodes ADD COLUMN colour TEXT")
        connection.exec_driver_sql("DROP INDEX ix_edges_cross")

    kinds = {change[0] for change in differences(engine)}
    assert {"remove_column", "add_index"} == kinds
