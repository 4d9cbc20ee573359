"""Files of purchases: which ones a path names, what columns each holds, how DuckDB reads them."""

from __future__ import annotations

import csv
import glob
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import duckdb

from bnpl_features.errors import InputError, QueryFailed
from bnpl_features.warehouse.duckdb import canonical_type


class Kind(StrEnum):
    PARQUET = "Parquet"
    CSV = "CSV"
    JSON = "JSON"


_SUFFIXES = {
    ".parquet": Kind.PARQUET,
    **{suffix + zipped: Kind.CSV for suffix in (".csv",) for zipped in ("", ".gz")},
    **{suffix + zipped: Kind.JSON for suffix in (".ndjson", ".jsonl", ".json") for zipped in ("", ".gz")},
}
_DELIMITERS = ",;\t|"
_HEADER_CHARACTERS = 1 << 20
"""A first line longer than this is no header of a CSV file."""

ANY = "any"
"""The type of a column whose values are text that may stand for any type, or which holds nothing but nulls."""

TEXT = "STRING"

POSITION = '"position in the file"'
"""The column that numbers a file's rows from 1; no file has one of this name."""

_NUMBERED = f"ROW_NUMBER() OVER () AS {POSITION}"
_UNTYPED = frozenset({'"NULL"', "NULL"})
_JSON_STRINGS = frozenset({"VARCHAR", "UUID", "DATE", "TIME", "TIMESTAMP", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE"})
"""What DuckDB makes of JSON strings; to us all of them are text."""
_PARQUET_TYPES = {
    **dict.fromkeys(("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "HUGEINT"), "INT64"),
    **dict.fromkeys(("TIMESTAMP_NS", "TIMESTAMP_MS", "TIMESTAMP_S"), "DATETIME"),
    **dict.fromkeys(("TIMESTAMPTZ", "TIMESTAMPTZ_NS"), "TIMESTAMP"),
    "UUID": "STRING",
}


@dataclass(frozen=True)
class PurchaseFile:
    """A file to read; `name` is how the caller would call it."""

    path: Path
    kind: Kind

    @property
    def name(self) -> str:
        return str(self.path)


@dataclass(frozen=True)
class OpenFile:
    """What a file holds: the type of each column, and the relation and expressions with which SQL reads it.

    With `is_text` every value arrives as text, and is yet to be read as what the contract says.
    """

    file: PurchaseFile
    relation: str
    types: Mapping[str, str]
    expressions: Mapping[str, str]
    is_text: bool
    repeated: frozenset[str] = frozenset()


def find_files(paths: Sequence[str]) -> tuple[PurchaseFile, ...]:
    """The files that paths, folders and globs name, each once; raises `InputError` naming what cannot be read."""
    found: dict[Path, PurchaseFile] = {}
    for named in paths:
        for path in _named(named):
            found.setdefault(path.resolve(), PurchaseFile(path, _kind(path)))
    if not found:
        raise InputError("no files were named; give files, folders or globs of Parquet, CSV or NDJSON")
    return tuple(found.values())


def open_file(connection: duckdb.DuckDBPyConnection, file: PurchaseFile, link: Path) -> OpenFile:
    """Look at a file's columns; it is read through `link`, which is made here, so that no name needs quoting."""
    _require_content(file)
    link.symlink_to(file.path.resolve())
    with readable(file):
        if file.kind is Kind.CSV:
            return _open_csv(file, link)
        if file.kind is Kind.JSON:
            return _open_json(connection, file, link)
        return _open_parquet(connection, file, link)


@contextmanager
def readable(file: PurchaseFile) -> Iterator[None]:
    """Name the file, and the mend, in whatever reading it raises.

    The engine's own words, and the chain to them, are left out: they quote lines of the file, which are personal data.
    """
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise QueryFailed(f"reading {file.name} ran out of memory; load fewer files at a time") from None
    except (duckdb.Error, EOFError, OSError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        if "No space left" in str(error):
            raise QueryFailed(f"no space to copy {file.name} to; set TMPDIR to a folder with room") from None
        raise InputError(f"{file.name} cannot be read as {file.kind}: {_cause(error)}") from None


def _named(named: str) -> Iterator[Path]:
    path = Path(named).expanduser()
    if path.is_file():
        yield path
    elif path.is_dir():
        yield from _inside(path)
    else:
        matched = [match for match in sorted(glob.glob(str(path), recursive=True)) if not _is_marker(Path(match).name)]
        files = [Path(match) for match in matched if Path(match).is_file()]
        inside = [
            file for match in matched if Path(match).is_dir() and "**" not in named for file in _inside(Path(match))
        ]
        if not files and not inside:
            raise InputError(
                f"no file matches {named!r}; name files, folders or globs on this machine "
                "(for a bucket, copy the files here, or make them a table and set its name with BNPL_TRANSACTIONS)"
            )
        yield from files
        yield from inside


def _inside(folder: Path) -> list[Path]:
    """Files at any depth."""
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(map(_is_marker, path.relative_to(folder).parts))
    )
    if not files:
        raise InputError(f"the folder {folder} holds no files; name the one that holds the purchases")
    return files


def _is_marker(name: str) -> bool:
    """Hidden, or written by an engine beside its data, such as `_SUCCESS`."""
    return name.startswith((".", "_"))


def _kind(path: Path) -> Kind:
    for suffix, kind in _SUFFIXES.items():
        if path.name.lower().endswith(suffix):
            return kind
    raise InputError(
        f"{path} is of no known kind; name only files that end in {', '.join(_SUFFIXES)} "
        "(a glob such as 'folder/**/*.csv' leaves others out)"
    )


def _require_content(file: PurchaseFile) -> None:
    try:
        with file.path.open("rb") as handle:
            content = handle.read(1)
    except OSError as error:
        raise InputError(f"{file.name} cannot be opened: {error.strerror}; correct its permissions") from error
    if not content:
        raise InputError(f"{file.name} is empty; write it again, or leave it out")


def _open_parquet(connection: duckdb.DuckDBPyConnection, file: PurchaseFile, link: Path) -> OpenFile:
    read = f"read_parquet('{link}', hive_partitioning = false"
    types = {name: _parquet_type(kind) for name, kind in _described(connection, f"{read})").items()}
    # The reader's own number leaves all cores at work, but gives way to a column of the same name.
    numbered = f"SELECT *, file_row_number + 1 AS {POSITION} FROM {read}, file_row_number = true)"
    relation = f"(SELECT *, {_NUMBERED} FROM {read}))" if "file_row_number" in types else f"({numbered})"
    return OpenFile(file, relation, types, {name: _quoted(name) for name in types}, is_text=False)


def _open_csv(file: PurchaseFile, link: Path) -> OpenFile:
    """Every value as text, by position: sniffed types would make a number of the customer '00012'."""
    header, delimiter = _csv_header(file.path)
    positions = {name: f"column_{position}" for position, name in enumerate(header)}
    columns = ", ".join(f"column_{position}: 'VARCHAR'" for position in range(len(header)))
    relation = (
        f"(SELECT *, {_NUMBERED} FROM read_csv('{link}', columns = {{{columns}}}, "
        f"auto_detect = false, header = true, delim = '{delimiter}', quote = '\"', escape = '\"', "
        f"allow_quoted_nulls = false, compression = '{_compression(file)}'))"
    )
    repeated = frozenset(name for name, count in Counter(header).items() if count > 1)
    return OpenFile(file, relation, dict.fromkeys(header, ANY), positions, is_text=True, repeated=repeated)


def _csv_header(path: Path) -> tuple[list[str], str]:
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8-sig") as handle:
        line = handle.readline(_HEADER_CHARACTERS)
    headers = [(next(csv.reader([line], delimiter=delimiter), []), delimiter) for delimiter in _DELIMITERS]
    return max(headers, key=lambda header: len(header[0]))


def _open_json(connection: duckdb.DuckDBPyConnection, file: PurchaseFile, link: Path) -> OpenFile:
    """A look at every object first, because a column that is often null may be left out of most of them."""
    layout = "auto" if ".json" in file.path.name.lower() else "newline_delimited"
    read = f"read_json('{link}', format = '{layout}', compression = '{_compression(file)}'"
    types = {
        name: TEXT if kind in _JSON_STRINGS else _parquet_type(kind)
        for name, kind in _described(connection, f"{read}, sample_size = -1)").items()
    }
    columns = ", ".join(f"{_quoted(name)}: 'VARCHAR'" for name in types)
    relation = f"(SELECT *, {_NUMBERED} FROM {read}, columns = {{{columns}}}))"
    return OpenFile(file, relation, types, {name: _quoted(name) for name in types}, is_text=True)


def _described(connection: duckdb.DuckDBPyConnection, read: str) -> dict[str, str]:
    return {row[0]: row[1] for row in connection.execute(f"DESCRIBE SELECT * FROM {read}").fetchall()}


def _parquet_type(duckdb_type: str) -> str:
    return ANY if duckdb_type in _UNTYPED else _PARQUET_TYPES.get(duckdb_type) or canonical_type(duckdb_type)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _compression(file: PurchaseFile) -> str:
    return "gzip" if file.name.lower().endswith(".gz") else "none"


def _cause(error: Exception) -> str:
    """What is wrong and the mend, from the engine's message without the data that it quotes."""
    text = str(error)
    found_line = re.search(r"(?:CSV Error on Line: |in line |in record/value )(\d+)", text)
    where = f" (line {found_line[1]})" if found_line else ""
    if isinstance(error, (EOFError, zlib.error)) or "GZIP" in text or "gzip" in text:
        return "the gzip stream is damaged or ends early; copy or write the file again"
    if isinstance(error, UnicodeDecodeError) or re.search("unicode|encod|UTF-?8", text, re.IGNORECASE):
        return f"it is not UTF-8{where}; convert it, for example with iconv"
    fields = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", text)
    if fields:
        # The engine counts no further than one field too many.
        compared = "more" if int(fields[2]) > int(fields[1]) else "fewer"
        return f"a line has {compared} than {fields[1]} fields{where}; quote values that hold the delimiter"
    if "quote" in text:
        return f"a quoted value is not closed{where}; the file may end early: write it again"
    return f"it is damaged, ends early, or is of another kind{where}; copy or write the file again"
