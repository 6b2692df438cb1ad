"""Runs the migrations on the connection that `readystate.adapters.store.migrations` gives, or, for
`alembic revision --autogenerate`, on the database named by `-x url=...`."""

from alembic import context
from sqlalchemy import Connection

from readystate.adapters.store.database import Access, open_engine
from readystate.adapters.store.tables import metadata


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,  # SQLite alters a table by making it anew
        # Our SQLite connections begin transactions themselves, so a failed step leaves nothing.
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    _migrate(given)
else:
    with open_engine(
        context.get_x_argument(as_dictionary=True)["url"], Access.MIGRATE
    ).begin() as own:
        _migrate(own)
