"""What DuckDB's refusals mean in this project's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from bnpl_features.errors import BnplFeaturesError, QueryFailed, RelationMissing

_EXCERPT = "\n\nLINE "
"""From here on a message repeats a line of the statement, which the user did not write."""

_NO_SUCH_FILE = ("No files found", "No such file")


@contextmanager
def named_errors() -> Iterator[None]:
    """Turns what DuckDB raises inside the block into the errors of `bnpl_features.errors`.

    Where a result is streamed, its errors arrive by way of Arrow.
    """
    try:
        yield
    except (duckdb.Error, OSError, pa.ArrowException) as error:
        raise _named(error) from error


def _named(error: Exception) -> BnplFeaturesError:
    text = str(error).partition(_EXCERPT)[0].strip().replace("\n", " ")
    is_unknown = isinstance(error, (duckdb.CatalogException, duckdb.BinderException))
    if is_unknown or any(words in text for words in _NO_SUCH_FILE):
        return RelationMissing(
            f"a table, column or file is missing in the warehouse: {text}; "
            "load purchases, materialise the tables before this one, or correct the column map"
        )
    if "parquet" in text.lower():
        return QueryFailed(
            f"a file of the warehouse is damaged or cannot be read: {text}; delete the file, then materialise that "
            "partition again (of transactions: load its purchases again)"
        )
    return QueryFailed(f"DuckDB refused a statement: {text}")
