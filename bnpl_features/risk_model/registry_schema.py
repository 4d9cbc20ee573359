"""Whether a registry's database is of MLflow's present schema.

MLflow migrates a database that lacks one of its tables as soon as a newer release opens it, if only to read, and the
release before cannot open it any more. Here that is an act of an operator, with a copy taken before.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from bnpl_features.errors import RegistryUnavailable


@cache
def require_present_schema(url: str, shown: str) -> None:
    """Asks the database at `url` once a process; an empty one is MLflow's to fill.

    One that a later release migrated is left to MLflow, which reads it as far as it can. Raises `RegistryUnavailable`
    for one of an earlier schema, naming the database as `shown`; SQLAlchemy's errors where none answers.
    """
    found, expected = _revision(url), _revisions()[0]
    if found in _revisions()[1:]:
        raise RegistryUnavailable(
            f"the model registry at {shown} has MLflow's schema {found}, and this release needs {expected}; take a "
            "copy of the database, then `mlflow db upgrade` its address (docs/upgrades.md)"
        )


def _revision(url: str) -> str | None:
    from alembic.migration import MigrationContext
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    with create_engine(url, poolclass=NullPool).connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


@cache
def _revisions() -> tuple[str, ...]:
    """Those of the installed MLflow, the newest first."""
    import mlflow
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(mlflow.__file__).parent / "store" / "db_migrations"))
    return tuple(one.revision for one in ScriptDirectory.from_config(config).walk_revisions())
