"""The private PostgreSQL of the tests is what it claims to be."""

import psycopg

from tests.postgres import PostgresServer


def connect(url: str) -> "psycopg.Connection[tuple[str]]":
    return psycopg.connect(url.replace("+psycopg", ""))


def test_server_listens_on_no_network_address(postgres_server: PostgresServer) -> None:
    with connect(postgres_server.url()) as connection:
        addresses = connection.execute("show listen_addresses").fetchone()

    assert ("",) == addresses


def test_each_test_gets_an_empty_database(
    postgres_server: PostgresServer, postgres_database: str
) -> None:
    another = postgres_server.create_database()
    with connect(postgres_database) as connection:
        connection.execute("create table planted (id int)")

    with connect(another) as connection:
        tables = connection.execute(
            "select count(*) from information_schema.tables where table_name = 'planted'"
        ).fetchone()

    assert another != postgres_database
    assert (0,) == tables
