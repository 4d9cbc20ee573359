"""Files that the tests write, loaded into a warehouse folder of the test's own."""

import csv
import datetime
import gzip
import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bnpl_features.derive.query import Query
from bnpl_features.errors import InputError
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from bnpl_features.warehouse.files import find_files
from bnpl_features.warehouse.load import LoadReport, load, purchase_problems
from bnpl_features.warehouse.transactions import Source, check_columns
from bnpl_features.warehouse.warehouse import Warehouse
from tests.edge_cases import SCHEMA, row

NOW = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.UTC)
NOON = datetime.datetime(2026, 2, 1, 12, tzinfo=datetime.UTC)
OUTCOMES = ("will_default", "days_to_first_missed_payment")

Row = dict[str, Any]
Write = Callable[[Path, Sequence[Row]], Path]


def purchase(number: int = 1, **values: Any) -> Row:
    at = NOON + datetime.timedelta(minutes=number)
    return {**row(f"customer {number}", f"{number:05d}", at, {}), **values}


def purchases(count: int = 3) -> list[Row]:
    return [purchase(number) for number in range(1, count + 1)]


def parquet(path: Path, rows: Sequence[Row], **types: pa.DataType) -> Path:
    """`types` are those of columns that are not as the contract says."""
    names = list(rows[0]) if rows else SCHEMA.names
    known = {field.name: field.type for field in SCHEMA} | types
    schema = pa.schema([(name, known.get(name, pa.string())) for name in names])
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


def comma_separated(path: Path, rows: Sequence[Row], delimiter: str = ",") -> Path:
    target = path.with_suffix(".csv")
    with target.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows({name: as_text(value) for name, value in one.items()} for one in rows)
    return target


def json_lines(path: Path, rows: Sequence[Row]) -> Path:
    target = path.with_suffix(".ndjson")
    target.write_text("".join(json.dumps(one, default=as_text) + "\n" for one in rows))
    return target


def as_text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime.datetime) else value


FORMATS: dict[str, Write] = {"parquet": parquet, "csv": comma_separated, "ndjson": json_lines}
TEXT_FORMATS: dict[str, Write] = {"csv": comma_separated, "ndjson": json_lines}

every_format = pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
text_formats = pytest.mark.parametrize("write", TEXT_FORMATS.values(), ids=TEXT_FORMATS)


@pytest.fixture
def empty(tmp_path: Path) -> DuckDBWarehouse:
    (tmp_path / "warehouse").mkdir()
    return DuckDBWarehouse(tmp_path / "warehouse")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a test writes its file, without the suffix."""
    (tmp_path / "in").mkdir()
    return tmp_path / "in" / "purchases"


def loaded(warehouse: Warehouse, *paths: Path | str, zone: str | None = None, **columns: str) -> LoadReport:
    return load(warehouse, [str(path) for path in paths], Source(columns=columns), assume_timezone=zone, now=NOW)


def refused(warehouse: DuckDBWarehouse, *paths: Path | str, zone: str | None = None, **columns: str) -> str:
    """The message with which a load is refused; nothing may have been written."""
    with pytest.raises(InputError) as caught:
        loaded(warehouse, *paths, zone=zone, **columns)
    assert not list(warehouse._folder.glob("transactions/*/*"))
    return str(caught.value)


def content(warehouse: Warehouse, order: str = "transaction_id, transaction_timestamp") -> list[Row]:
    names = ", ".join(SCHEMA.names)
    query = Query(f"SELECT {names} FROM transactions ORDER BY {order}")
    return [row for batch in warehouse.read(query, {}) for row in batch.to_pylist()]


# What is read


@every_format
def test_every_format_gives_the_rows_that_were_written(empty: DuckDBWarehouse, file: Path, write: Write) -> None:
    rows = [
        purchase(1),
        purchase(2, payment_credit_limit=None, days_to_first_missed_payment=30, will_default=True),
        purchase(
            3, product_category='it\'s; "quoted", über', device_is_trusted=False, amount=0.1 + 0.2, customer_state=None
        ),
        purchase(4, will_default=None, status="pending", risk_score=1.0),
    ]

    report = loaded(empty, write(file, rows))

    assert content(empty) == rows
    assert report == LoadReport(
        files=1,
        rows_read=4,
        rows_loaded=4,
        duplicates_dropped=0,
        first_timestamp=NOON + datetime.timedelta(minutes=1),
        last_timestamp=NOON + datetime.timedelta(minutes=4),
        days=1,
        customers=4,
        rows_by_status={"completed": 3, "pending": 1},
        absent_columns=(),
    )


@every_format
def test_identifiers_that_look_like_numbers_stay_as_they_are(empty: DuckDBWarehouse, file: Path, write: Write) -> None:
    rows = [purchase(1, customer_id="00012", device_id="1e5"), purchase(2, customer_id="12", device_id="007")]

    loaded(empty, write(file, rows))

    assert [(one["customer_id"], one["device_id"]) for one in content(empty)] == [("00012", "1e5"), ("12", "007")]


@text_formats
def test_compressed_text_is_read(empty: DuckDBWarehouse, file: Path, write: Write) -> None:
    plain = write(file, purchases())
    compressed = plain.with_name(plain.name + ".gz")
    compressed.write_bytes(gzip.compress(plain.read_bytes()))

    loaded(empty, compressed)

    assert content(empty) == purchases()


def test_a_json_array_is_read(empty: DuckDBWarehouse, file: Path) -> None:
    array = file.with_suffix(".json")
    array.write_text(json.dumps(purchases(), default=as_text))

    loaded(empty, array)

    assert content(empty) == purchases()


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_csv_may_have_other_delimiters_and_a_byte_order_mark(
    empty: DuckDBWarehouse, file: Path, delimiter: str
) -> None:
    written = comma_separated(file, purchases(), delimiter)
    written.write_bytes(b"\xef\xbb\xbf" + written.read_bytes())

    loaded(empty, written)

    assert content(empty) == purchases()


def test_csv_tells_an_empty_text_from_a_null(empty: DuckDBWarehouse, file: Path) -> None:
    written = comma_separated(file, [purchase(1, product_category="EMPTY", customer_state=None)])
    written.write_text(written.read_text().replace("EMPTY", '""'))

    loaded(empty, written)

    assert (content(empty)[0]["product_category"], content(empty)[0]["customer_state"]) == ("", None)


def test_csv_values_may_hold_line_breaks(empty: DuckDBWarehouse, file: Path) -> None:
    rows = [purchase(1, product_category="home\nand garden"), purchase(2)]

    loaded(empty, comma_separated(file, rows))

    assert content(empty) == rows


def test_a_folder_is_read_at_all_depths_without_markers(empty: DuckDBWarehouse, file: Path) -> None:
    parquet(file, [purchase(1)])
    (file.parent / "2026" / "02").mkdir(parents=True)
    comma_separated(file.parent / "2026" / "02" / "purchases", [purchase(2)])
    (file.parent / "2026" / "_SUCCESS").touch()
    (file.parent / "2026" / ".part.crc").write_bytes(b"x")

    report = loaded(empty, file.parent)

    assert (report.files, content(empty)) == (2, purchases(2))


def test_a_glob_names_files(empty: DuckDBWarehouse, file: Path) -> None:
    parquet(file.with_name("a"), [purchase(1)])
    parquet(file.with_name("b"), [purchase(2)])
    (file.parent / "notes.txt").write_text("not purchases")

    report = loaded(empty, f"{file.parent}/*.parquet")

    assert (report.files, content(empty)) == (2, purchases(2))


def test_a_file_named_twice_is_read_once(empty: DuckDBWarehouse, file: Path) -> None:
    written = parquet(file, purchases())

    report = loaded(empty, written, file.parent, f"{file.parent}/*")

    assert (report.files, report.rows_read) == (1, 3)


def test_a_file_name_with_glob_and_quote_characters_is_read(empty: DuckDBWarehouse, file: Path) -> None:
    for number, name in enumerate(("it's [1]*", "it's 1"), start=1):
        comma_separated(file.with_name(name), [purchase(number)])

    loaded(empty, file.with_name("it's [1]*.csv"))

    assert content(empty) == purchases(1)


# Columns


def test_columns_are_found_under_the_names_of_the_map(empty: DuckDBWarehouse, file: Path) -> None:
    rows = purchases()
    renamed = [{{"amount": "order_total"}.get(n, n): v for n, v in one.items()} for one in rows]

    loaded(empty, json_lines(file, renamed), amount="order_total")

    assert content(empty) == rows


@every_format
def test_the_alias_of_the_timestamp_needs_no_map(empty: DuckDBWarehouse, file: Path, write: Write) -> None:
    renamed = [{n.replace("transaction_timestamp", "_timestamp"): v for n, v in one.items()} for one in purchases()]
    if write is parquet:
        written = parquet(file, renamed, _timestamp=pa.timestamp("us", tz="UTC"))
    else:
        written = write(file, renamed)

    loaded(empty, written)

    assert content(empty) == purchases()


def test_the_alias_is_not_read_beside_the_canonical_name(empty: DuckDBWarehouse, file: Path) -> None:
    loaded(empty, comma_separated(file, [purchase(1, _timestamp="never")]))

    assert content(empty) == purchases(1)


@every_format
def test_extra_columns_are_ignored(empty: DuckDBWarehouse, file: Path, write: Write) -> None:
    loaded(empty, write(file, [purchase(1, currency="USD", file_number="7", row_number="8", file_row_number="9")]))

    assert content(empty) == purchases(1)


@every_format
def test_columns_that_no_feature_reads_may_be_absent(empty: DuckDBWarehouse, file: Path, write: Write) -> None:
    absent = ("will_default", "product_price", "customer_state")
    rows = [{name: value for name, value in one.items() if name not in absent} for one in purchases()]

    report = loaded(empty, write(file, rows))

    assert report.absent_columns == absent
    assert content(empty) == [{**one, **dict.fromkeys(absent)} for one in purchases()]


@every_format
def test_columns_that_features_read_must_be_there(empty: DuckDBWarehouse, file: Path, write: Write) -> None:
    missing = ("customer_id", "days_to_first_missed_payment")
    rows = [{name: value for name, value in one.items() if name not in missing} for one in purchases()]

    message = refused(empty, write(file, rows))

    assert "column 'customer_id' (STRING) is missing; " in message
    assert "column 'days_to_first_missed_payment' (INT64) is missing; " in message


def test_json_may_leave_out_a_column_where_it_is_null(empty: DuckDBWarehouse, file: Path) -> None:
    rows = [purchase(1), purchase(2), purchase(3, days_to_first_missed_payment=4)]
    written = [{name: value for name, value in one.items() if value is not None} for one in rows]

    loaded(empty, json_lines(file, written))

    assert content(empty) == rows


@every_format
def test_a_name_that_differs_in_case_is_pointed_out(empty: DuckDBWarehouse, file: Path, write: Write) -> None:
    renamed = [{n.replace("status", "Status"): v for n, v in one.items()} for one in purchases()]

    message = refused(empty, write(file, renamed))

    assert "'Status' differs from it only in case; map it with --column status=Status" in message


def test_a_misnamed_column_comes_with_a_suggestion(empty: DuckDBWarehouse, file: Path) -> None:
    renamed = [{n.replace("checkout_speed", "checkoutspeed"): v for n, v in one.items()} for one in purchases()]

    message = refused(empty, comma_separated(file, renamed))

    assert "map it with --column checkout_speed=checkoutspeed" in message


def test_a_name_of_the_map_must_be_there_even_if_the_column_is_optional(empty: DuckDBWarehouse, file: Path) -> None:
    message = refused(empty, parquet(file, purchases()), will_default="defaulted")

    assert "column 'defaulted' (BOOL) is missing" in message


def test_a_header_with_a_name_twice_is_refused(empty: DuckDBWarehouse, file: Path) -> None:
    written = comma_separated(file, [purchase(1, other=1)])
    written.write_text(written.read_text().replace(",other", ",amount"))

    assert "several columns named amount" in refused(empty, written)


# Types


@pytest.mark.parametrize(
    ("column", "kind", "value", "found"),
    [
        ("customer_id", pa.int64(), 12, "INT64"),
        ("amount", pa.string(), "12.5", "STRING"),
        ("device_is_trusted", pa.int64(), 1, "INT64"),
        ("transaction_timestamp", pa.int64(), 1_769_947_200, "INT64"),
        ("transaction_timestamp", pa.date32(), NOON.date(), "DATE"),
        ("installment_count", pa.string(), "4", "STRING"),
    ],
)
def test_a_wrong_type_in_parquet_is_named(
    empty: DuckDBWarehouse, file: Path, column: str, kind: pa.DataType, value: object, found: str
) -> None:
    message = refused(empty, parquet(file, [purchase(1, **{column: value})], **{column: kind}))

    assert f"column {column!r} is {found}, but must be" in message
    assert "cast it" in message


@pytest.mark.parametrize(
    ("column", "value", "found"),
    [("customer_id", 12, "INT64"), ("amount", "12.5", "STRING"), ("transaction_timestamp", 1_769_947_200, "INT64")],
)
def test_a_wrong_type_in_json_is_named(
    empty: DuckDBWarehouse, file: Path, column: str, value: object, found: str
) -> None:
    message = refused(empty, json_lines(file, [purchase(1, **{column: value})]))

    assert f"column {column!r} is {found}, but must be" in message


def test_json_that_mixes_types_in_a_column_is_refused(empty: DuckDBWarehouse, file: Path) -> None:
    message = refused(empty, json_lines(file, [purchase(1, customer_id=12), purchase(2, customer_id="012")]))

    assert "column 'customer_id' is JSON, but must be STRING" in message


def test_csv_values_of_a_wrong_type_are_counted_and_placed_but_not_shown(empty: DuckDBWarehouse, file: Path) -> None:
    wrong = {
        "amount is not a number": purchase(1, amount="12,50"),
        "time_on_site_seconds is not a whole number": purchase(2, time_on_site_seconds="four"),
        "installment_count is not a whole number": purchase(3, installment_count="4.5"),
        "device_is_trusted is neither true nor false": purchase(4, device_is_trusted="maybe"),
        "transaction_timestamp is not a timestamp such as 2026-01-31T23:59:59Z": purchase(
            5, transaction_timestamp="01/02/2026"
        ),
    }
    impossible = purchase(6, transaction_timestamp="2026-02-30 12:00:00Z")

    message = refused(empty, comma_separated(file, [*wrong.values(), impossible]))

    for number, says in enumerate(wrong, start=1):
        count = "2 rows" if "timestamp" in says else "1 row"
        assert f"{says}: {count}, {file}.csv row {number}" in message
    assert not any(value in message for value in ("12,50", "four", "4.5", "maybe", "01/02", "02-30"))
    assert "is null" not in message


def test_whole_numbers_may_be_floats_with_nan_for_null(empty: DuckDBWarehouse, file: Path) -> None:
    rows = [purchase(1, days_to_first_missed_payment=float("nan")), purchase(2, days_to_first_missed_payment=30.0)]
    rows += [purchase(3, days_to_first_missed_payment=None)]

    loaded(empty, parquet(file, rows, days_to_first_missed_payment=pa.float64()))

    assert [one["days_to_first_missed_payment"] for one in content(empty)] == [None, 30, None]


@pytest.mark.parametrize("value", [2.5, float("inf"), 1e17])
def test_floats_that_are_no_whole_numbers_are_refused(empty: DuckDBWarehouse, file: Path, value: float) -> None:
    rows = [purchase(1, days_to_first_missed_payment=value)]

    message = refused(empty, parquet(file, rows, days_to_first_missed_payment=pa.float64()))

    assert "days_to_first_missed_payment is not a whole number: 1 row" in message


def test_amounts_may_be_decimals_and_limits_whole_numbers(empty: DuckDBWarehouse, file: Path) -> None:
    rows = [purchase(1, amount=Decimal("12.34"), payment_credit_limit=500)]

    loaded(empty, parquet(file, rows, amount=pa.decimal128(10, 2), payment_credit_limit=pa.int32()))

    assert (content(empty)[0]["amount"], content(empty)[0]["payment_credit_limit"]) == (12.34, 500.0)


def test_a_column_of_nulls_without_a_type_is_read_as_nulls(empty: DuckDBWarehouse, file: Path) -> None:
    loaded(empty, parquet(file, purchases(), days_to_first_missed_payment=pa.null()))

    assert content(empty) == purchases()


def test_a_credit_limit_that_is_nan_is_null(empty: DuckDBWarehouse, file: Path) -> None:
    loaded(empty, parquet(file, [purchase(1, payment_credit_limit=float("nan"))]))

    assert content(empty)[0]["payment_credit_limit"] is None


# Time zones


@every_format
def test_timestamps_without_a_zone_need_one(empty: DuckDBWarehouse, file: Path, write: Write) -> None:
    rows = [purchase(1, transaction_timestamp=NOON.replace(tzinfo=None))]
    naive = {"transaction_timestamp": pa.timestamp("us")} if write is parquet else {}

    message = refused(empty, write(file, rows, **naive))

    assert "--assume-timezone UTC" in message


@every_format
def test_timestamps_without_a_zone_are_taken_to_be_of_the_one_given(
    empty: DuckDBWarehouse, file: Path, write: Write
) -> None:
    rows = [purchase(1, transaction_timestamp=NOON.replace(tzinfo=None))]
    naive = {"transaction_timestamp": pa.timestamp("us")} if write is parquet else {}

    loaded(empty, write(file, rows, **naive), zone="America/New_York")

    assert content(empty)[0]["transaction_timestamp"] == NOON + datetime.timedelta(hours=5)


def test_a_date_without_a_time_is_midnight_of_the_zone_given(empty: DuckDBWarehouse, file: Path) -> None:
    loaded(empty, comma_separated(file, [purchase(1, transaction_timestamp="2026-02-01")]), zone="Asia/Kolkata")

    assert content(empty)[0]["transaction_timestamp"] == datetime.datetime(2026, 1, 31, 18, 30, tzinfo=datetime.UTC)


@pytest.mark.parametrize("kind", [pa.timestamp("ns"), pa.timestamp("ms"), pa.timestamp("s")], ids=str)
def test_timestamps_may_be_of_other_units(empty: DuckDBWarehouse, file: Path, kind: pa.DataType) -> None:
    rows = [purchase(1, transaction_timestamp=NOON.replace(tzinfo=None))]

    loaded(empty, parquet(file, rows, transaction_timestamp=kind), zone="UTC")

    assert content(empty)[0]["transaction_timestamp"] == NOON


@pytest.mark.parametrize("unit", ["ns", "us", "ms"])
def test_timestamps_of_another_zone_are_converted(empty: DuckDBWarehouse, file: Path, unit: str) -> None:
    kind = pa.timestamp(unit, tz="America/New_York")

    loaded(empty, parquet(file, [purchase(1, transaction_timestamp=NOON)], transaction_timestamp=kind))

    assert content(empty)[0]["transaction_timestamp"] == NOON


@text_formats
def test_text_may_state_the_zone_in_the_usual_ways(empty: DuckDBWarehouse, file: Path, write: Write) -> None:
    texts = (
        "2026-02-01T12:00:00Z",
        "2026-02-01 12:00:00 UTC",
        "2026-02-01 12:00:00.000000+00",
        "2026-02-01T17:30:00+05:30",
        "2026-02-01T07:00-0500",
    )
    rows = [purchase(number, transaction_timestamp=text) for number, text in enumerate(texts)]

    loaded(empty, write(file, rows), zone="Asia/Tokyo")

    assert [one["transaction_timestamp"] for one in content(empty)] == [NOON] * len(texts)


def test_an_unknown_zone_is_refused(empty: DuckDBWarehouse, file: Path) -> None:
    message = refused(empty, parquet(file, purchases()), zone="Mars/Olympus'")

    assert "is no time zone; use UTC or an IANA name" in message


# Rules


@every_format
def test_null_in_a_required_column_is_refused(empty: DuckDBWarehouse, file: Path, write: Write) -> None:
    columns = ("customer_id", "transaction_timestamp", "amount", "status", "risk_level")
    rows = [purchase(number, **{column: None}) for number, column in enumerate(columns)]
    written = write(file, [*purchases(), *rows])

    message = refused(empty, written)

    for number, column in enumerate(columns, start=4):
        assert f"{column} is null: 1 row, {written} row {number}" in message
    assert message.count("1 row") == len(columns)


def test_an_empty_customer_id_is_refused(empty: DuckDBWarehouse, file: Path) -> None:
    message = refused(empty, parquet(file, [purchase(1, customer_id=""), purchase(2, customer_id="  ")]))

    assert "customer_id is empty: 2 rows" in message


@pytest.mark.parametrize("amount", [-0.01, float("nan"), float("inf")])
def test_a_negative_nan_or_infinite_amount_is_refused(empty: DuckDBWarehouse, file: Path, amount: float) -> None:
    written = parquet(file, [purchase(1), purchase(2, amount=amount)])

    message = refused(empty, written)

    assert f"amount is negative, NaN or infinite: 1 row, {written} row 2 ({amount})" in message


@pytest.mark.parametrize("score", [-0.1, 1.01, float("nan")])
def test_a_risk_score_outside_its_range_is_refused(empty: DuckDBWarehouse, file: Path, score: float) -> None:
    message = refused(empty, parquet(file, [purchase(1, risk_score=score)]))

    assert "risk_score is outside 0..1: 1 row" in message


def test_a_timestamp_in_the_future_is_refused(empty: DuckDBWarehouse, file: Path) -> None:
    soon = NOW + datetime.timedelta(microseconds=1)

    message = refused(empty, parquet(file, [purchase(1, transaction_timestamp=soon), purchase(2)]))

    assert "transaction_timestamp is in the future: 1 row" in message


def test_a_timestamp_of_this_instant_is_not_in_the_future(empty: DuckDBWarehouse, file: Path) -> None:
    assert loaded(empty, parquet(file, [purchase(1, transaction_timestamp=NOW)])).last_timestamp == NOW


def test_an_unknown_status_is_refused_and_shown(empty: DuckDBWarehouse, file: Path) -> None:
    message = refused(empty, parquet(file, [purchase(1, status="Completed")]))

    assert "status is none of completed, pending, failed, cancelled: 1 row" in message
    assert "(Completed)" in message


def test_negative_days_to_a_missed_payment_are_refused(empty: DuckDBWarehouse, file: Path) -> None:
    message = refused(empty, parquet(file, [purchase(1, days_to_first_missed_payment=-1)]))

    assert "days_to_first_missed_payment is negative: 1 row" in message


@pytest.mark.parametrize("limit", [-1.0, float("inf")])
def test_a_negative_or_infinite_credit_limit_is_refused(empty: DuckDBWarehouse, file: Path, limit: float) -> None:
    message = refused(empty, parquet(file, [purchase(1, payment_credit_limit=limit)]))

    assert "payment_credit_limit is negative or infinite: 1 row" in message


def test_all_broken_rules_are_counted_at_once_with_the_first_rows_of_each(empty: DuckDBWarehouse, file: Path) -> None:
    good = parquet(file.with_name("good"), purchases())
    rows = [purchase(number, amount=-1.0) for number in range(10, 20)] + [purchase(20, status="lost")]
    bad = parquet(file.with_name("bad"), rows)

    message = refused(empty, good, bad)

    assert f"infinite: 10 rows, {bad} row 1 (-1.0), {bad} row 2 (-1.0), {bad} row 3 (-1.0)\n" in message
    assert f"cancelled: 1 row, {bad} row 11 (lost)" in message


@text_formats
def test_no_message_holds_a_customer_id(empty: DuckDBWarehouse, file: Path, write: Write) -> None:
    """Nor does a column map or a shifted row that puts the customer where the status belongs."""
    rows = [purchase(1, customer_id="Ada Lovelace", status="Ada Lovelace"), purchase(2, status="cust_000001")]

    message = refused(empty, write(file, rows))

    assert "2 rows" in message
    assert "Lovelace" not in message
    assert "cust_0" not in message


def test_nothing_is_loaded_when_the_last_row_of_the_last_file_is_bad(empty: DuckDBWarehouse, file: Path) -> None:
    loaded(empty, parquet(file.with_name("before"), [purchase(900)]))
    before = content(empty)
    good = parquet(file.with_name("good"), purchases(100))
    bad = parquet(file.with_name("late"), [purchase(101), purchase(102, amount=-1.0)])

    with pytest.raises(InputError):
        loaded(empty, good, bad)

    assert content(empty) == before


def test_what_was_loaded_fits_the_contract_of_the_users_own_tables(empty: DuckDBWarehouse, file: Path) -> None:
    loaded(empty, parquet(file, purchases()))

    check_columns(Source(), empty.columns("transactions"), "transactions")


# Duplicates


def test_exact_duplicates_are_dropped_and_counted(empty: DuckDBWarehouse, file: Path) -> None:
    first = parquet(file.with_name("a"), [*purchases(), purchase(2)])
    second = comma_separated(file.with_name("b"), [purchase(3), purchase(4)])

    report = loaded(empty, first, second)

    assert (report.rows_read, report.duplicates_dropped, report.rows_loaded) == (6, 2, 4)
    assert content(empty) == purchases(4)


def test_one_identity_with_different_contents_is_refused(empty: DuckDBWarehouse, file: Path) -> None:
    first = parquet(file.with_name("a"), [purchase(1), purchase(2), purchase(2)])
    second = parquet(file.with_name("b"), [purchase(9), purchase(2, amount=5.0), purchase(1, customer_state=None)])

    message = refused(empty, first, second)

    assert "2 purchases" in message
    assert f"{first} row 1 and {second} row 3" in message


def test_a_transaction_id_may_come_back_for_another_customer_or_time(empty: DuckDBWarehouse, file: Path) -> None:
    rows = [purchase(1), purchase(2, transaction_id="00001"), purchase(3, transaction_id="00001")]
    rows[2]["customer_id"] = rows[0]["customer_id"]

    assert loaded(empty, parquet(file, rows)).rows_loaded == 3
    assert content(empty) == rows


@every_format
def test_loading_a_file_twice_changes_nothing(empty: DuckDBWarehouse, file: Path, write: Write) -> None:
    written = write(file, purchases(50))
    first = loaded(empty, written)
    before = content(empty)

    second = loaded(empty, written)

    assert content(empty) == before
    assert first == second


def test_an_outcome_that_comes_late_replaces_the_row(empty: DuckDBWarehouse, file: Path) -> None:
    loaded(empty, parquet(file, purchases()))
    late = [purchase(2, will_default=True, days_to_first_missed_payment=20)]

    loaded(empty, comma_separated(file, late))

    assert content(empty) == [purchase(1), *late, purchase(3)]


# Files that cannot be read


def test_a_path_that_matches_nothing_is_named(empty: DuckDBWarehouse, tmp_path: Path) -> None:
    assert f"no file matches '{tmp_path}/*.parquet'" in refused(empty, f"{tmp_path}/*.parquet")
    assert "'gs://bucket/purchases.parquet'" in refused(empty, "gs://bucket/purchases.parquet")


def test_no_paths_at_all_are_refused(empty: DuckDBWarehouse) -> None:
    assert "no files were named" in refused(empty)


def test_an_empty_folder_is_named(empty: DuckDBWarehouse, file: Path) -> None:
    assert f"the folder {file.parent} holds no files" in refused(empty, file.parent)


@pytest.mark.parametrize("name", ["purchases.xlsx", "purchases", "purchases.parquet.gz"])
def test_an_unknown_suffix_is_named(empty: DuckDBWarehouse, file: Path, name: str) -> None:
    (file.parent / name).write_bytes(b"x")

    assert f"{file.parent / name} is of no known kind" in refused(empty, file.parent / name)
    assert f"{file.parent / name} is of no known kind" in refused(empty, file.parent)


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".ndjson", ".csv.gz", ".json"])
def test_a_file_without_a_byte_is_named(empty: DuckDBWarehouse, file: Path, suffix: str) -> None:
    written = file.with_suffix(suffix)
    written.touch()

    assert f"{written} is empty" in refused(empty, written)


def test_files_without_rows_are_refused_unless_others_have_some(empty: DuckDBWarehouse, file: Path) -> None:
    without_rows = parquet(file, [])
    header_only = file.with_suffix(".csv")
    header_only.write_text(",".join(SCHEMA.names) + "\n")

    message = refused(empty, without_rows, header_only)
    report = loaded(empty, without_rows, header_only, json_lines(file, purchases()))

    assert f"there are no purchases in {without_rows} and 1 more" in message
    assert report.rows_loaded == 3


@pytest.mark.parametrize(
    "damage", [lambda held: held[: len(held) // 2], lambda held: b"hello" + held[5:-4], lambda held: b"x"]
)
def test_a_damaged_parquet_file_is_named(empty: DuckDBWarehouse, file: Path, damage: Callable[[bytes], bytes]) -> None:
    written = parquet(file, purchases())
    written.write_bytes(damage(written.read_bytes()))

    message = refused(empty, written)

    assert f"{written} cannot be read as Parquet: it is damaged, ends early" in message


def test_parquet_damaged_in_the_middle_is_named(empty: DuckDBWarehouse, file: Path) -> None:
    written = parquet(file, purchases(2_000))
    held = bytearray(written.read_bytes())
    held[1_000:1_400] = bytes(400)
    written.write_bytes(held)

    assert f"{written} cannot be read as Parquet" in refused(empty, written)


@text_formats
@pytest.mark.parametrize("cut", [4, 1_000])
def test_a_gzip_stream_that_ends_early_is_named(empty: DuckDBWarehouse, file: Path, write: Write, cut: int) -> None:
    plain = write(file, purchases(2_000))
    compressed = plain.with_name(plain.name + ".gz")
    compressed.write_bytes(gzip.compress(plain.read_bytes())[:-cut])

    message = refused(empty, compressed)

    assert f"{compressed} cannot be read as" in message
    assert "the gzip stream is damaged or ends early" in message


def test_text_that_is_no_gzip_stream_is_named(empty: DuckDBWarehouse, file: Path) -> None:
    written = comma_separated(file, purchases()).rename(file.with_suffix(".csv.gz"))

    assert "gzip stream is damaged" in refused(empty, written)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("a,b", "a line has fewer than 31 fields (line 3)"),
        (",".join("x" * 40), "a line has more than 31 fields (line 3)"),
        ('"never closed', "a quoted value is not closed (line 3)"),
    ],
)
def test_a_csv_line_that_does_not_fit_is_placed(empty: DuckDBWarehouse, file: Path, line: str, says: str) -> None:
    written = comma_separated(file, purchases(1))
    written.write_text(written.read_text() + line + "\n")

    message = refused(empty, written)

    assert f"{written} cannot be read as CSV: {says}" in message
    assert "customer 1" not in message


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_csv_in_another_encoding_is_named(empty: DuckDBWarehouse, file: Path, encoding: str) -> None:
    written = comma_separated(file, [purchase(1, product_category="décor")])
    written.write_bytes(written.read_text().encode(encoding))

    assert f"{written} cannot be read as CSV: it is not UTF-8" in refused(empty, written)


@pytest.mark.parametrize("tail", ['{"customer_id": "Ada Lovel', "not json\n", '{"a": 1}}\n'])
def test_damaged_json_is_named(empty: DuckDBWarehouse, file: Path, tail: str) -> None:
    written = json_lines(file, purchases())
    written.write_text(written.read_text() + tail)

    message = refused(empty, written)

    assert f"{written} cannot be read as JSON: it is damaged" in message
    assert "Lovel" not in message


# How it goes on


def test_progress_reaches_the_end_of_each_step(empty: DuckDBWarehouse, file: Path) -> None:
    paths = [str(parquet(file.with_name(name), [purchase(number)])) for number, name in enumerate("abc")]
    size = sum(Path(path).stat().st_size for path in paths)
    seen: list[tuple[str, int, int]] = []

    load(empty, paths, Source(), now=NOW, progress=lambda *step: seen.append(step))

    assert seen[0] == ("read", 0, size)
    assert ("read", size, size) in seen
    assert seen[-1] == ("write", 3, 3)
    assert [step for step, _, _ in seen] == sorted(step for step, _, _ in seen)


def test_files_of_a_folder_come_in_order(tmp_path: Path) -> None:
    for name in ("b.csv", "a.parquet", "c.jsonl"):
        (tmp_path / name).touch()

    assert [file.path.name for file in find_files([str(tmp_path)])] == ["a.parquet", "b.csv", "c.jsonl"]


# One day of the user's own table

DAY = NOON.date()


def table(warehouse: DuckDBWarehouse, name: str, rows: list[Row], **types: pa.DataType) -> Source:
    """A table of the warehouse that no load has checked."""
    folder = warehouse._folder / name / "day=1"
    folder.mkdir(parents=True)
    parquet(folder / "data", rows, **types)
    return Source(name)


def test_a_day_that_keeps_the_contract_has_no_problems(empty: DuckDBWarehouse) -> None:
    rows = [
        *purchases(),
        purchase(4, status="pending"),
        purchase(5, transaction_timestamp=NOON + datetime.timedelta(1)),
    ]

    problems = purchase_problems(empty, table(empty, "own", rows), DAY)

    assert (problems.rows, problems.completed_rows, problems.broken_rules()) == (4, 3, ())


def test_each_kind_of_problem_of_a_day_is_counted(empty: DuckDBWarehouse) -> None:
    nan, infinite = float("nan"), float("inf")
    rows = [
        *purchases(),
        *(purchase(10, customer_id=customer_id) for customer_id in (None, "")),
        *(purchase(20 + number, amount=bad) for number, bad in enumerate((-1.0, nan, infinite, None))),
        *(purchase(30, amount=amount) for amount in (1.0, 2.0, 2.0)),
        *(purchase(40 + number, transaction_timestamp=None, amount=-1.0) for number in range(2)),
        purchase(50, transaction_timestamp=NOON + datetime.timedelta(hours=9)),
    ]

    problems = purchase_problems(empty, table(empty, "own", rows), DAY, now=NOON + datetime.timedelta(hours=8))

    assert problems.rows == 3 + 2 + 4 + 3 + 1
    assert problems.null_customer_ids == 2
    assert problems.bad_amounts == 4
    assert problems.duplicates == 2
    assert problems.null_timestamps == 2
    assert problems.future_timestamps == 1
    assert len(problems.broken_rules()) == 5
    assert "4 rows with a null, negative, NaN or infinite amount" in problems.broken_rules()


def test_an_empty_day_has_neither_rows_nor_problems(empty: DuckDBWarehouse) -> None:
    problems = purchase_problems(empty, table(empty, "own", purchases()), DAY - datetime.timedelta(days=1))

    assert (problems.rows, problems.completed_rows, problems.broken_rules()) == (0, 0, ())


def test_problems_are_found_under_the_users_own_names(empty: DuckDBWarehouse) -> None:
    bad = [{**one, "amount": Decimal(-5)} for one in purchases()]
    rows = [{{"amount": "order", "customer_id": "buyer"}.get(n, n): v for n, v in one.items()} for one in bad]
    own = table(empty, "own", rows, order=pa.decimal128(10, 2)).relation

    problems = purchase_problems(empty, Source(own, {"amount": "order", "customer_id": "buyer"}), DAY)

    assert (problems.rows, problems.bad_amounts, problems.null_customer_ids) == (3, 3, 0)
