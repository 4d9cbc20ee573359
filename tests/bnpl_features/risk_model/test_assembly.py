"""A training set from the warehouse: what it holds, that it is the same every time, what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from bnpl_features.derive.layout import layout_of
from bnpl_features.derive.velocity_query import velocity_query
from bnpl_features.errors import ModelMissing, TrainingRefused
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.features.velocity import VELOCITY
from bnpl_features.risk_model.assembly import assemble
from bnpl_features.risk_model.training_query import TrainingSpec
from bnpl_features.risk_model.training_set import read_training_set
from bnpl_features.store.arrays import float_table
from bnpl_features.warehouse.duckdb import DuckDBWarehouse
from bnpl_features.warehouse.transactions import Source
from tests.lender import AS_OF, SPEC, Lender


def test_the_same_spec_gives_the_same_set_and_another_seed_another(lender: Lender, tmp_path: Path) -> None:
    again = assemble(lender.warehouse, Source(), SPEC, tmp_path)
    other = assemble(lender.warehouse, Source(), replace(SPEC, seed=1), tmp_path)

    assert again.name == lender.training.fingerprint != other.name
    assert assemble(lender.warehouse, Source(), SPEC, tmp_path) == again


def test_every_behavioural_number_is_one_that_a_reader_may_be_served(lender: Lender) -> None:
    for position, field in enumerate(layout_of(BEHAVIOURAL).fields):
        column = lender.training.behavioural[:, position]
        served = float_table(field.storage)
        served = served[~np.isnan(served)].astype(np.float32)
        default = np.float32(field.default) if isinstance(field.default, (int, float)) else np.float32("nan")

        known = column[~np.isnan(column)]
        assert np.isin(known, np.append(served, default)).all(), field.name


def test_velocity_is_that_of_the_windows_just_before_each_purchase(lender: Lender) -> None:
    rows = lender.warehouse.read(velocity_query(SPEC.first_day, SPEC.last_day), {})
    expected = pa.Table.from_batches(list(rows))

    assert lender.training.velocity.shape == (expected.num_rows, len(VELOCITY.names))
    for position, name in enumerate(VELOCITY.names[:-1]):
        column = expected.column(name).cast(pa.float64()).to_numpy().astype(np.float32)
        np.testing.assert_array_equal(np.sort(lender.training.velocity[:, position]), np.sort(column), err_msg=name)
    amount = lender.training.purchases[:, 0]
    mean = lender.training.behavioural[:, layout_of(BEHAVIOURAL).names.index("amount_mean_30d")]
    np.testing.assert_allclose(lender.training.velocity[:, -1], amount / mean, rtol=1e-6)


def test_an_unknown_customer_has_the_declared_defaults(lender: Lender) -> None:
    layout = layout_of(BEHAVIOURAL)
    unknown = lender.training.behavioural[~np.asarray(lender.training.known)]

    assert len(unknown) > 0
    for position, field in enumerate(layout.fields):
        if field.default is None:
            assert np.isnan(unknown[:, position]).all()
        else:
            value = field.storage.names.index(field.default) if isinstance(field.default, str) else field.default
            assert (unknown[:, position] == value).all()


def test_parts_follow_one_another_in_time_and_divide_no_day(lender: Lender) -> None:
    training = lender.training
    ends = [training.day[part][[0, -1]] for part in (training.train, training.validation, training.test)]

    assert (np.diff(training.day) >= 0).all()
    assert ends[0][1] < ends[1][0] <= ends[1][1] < ends[2][0]
    assert 0.45 < training.boundaries[0] / training.rows < 0.75
    assert training.days_of(slice(0, training.rows)) == (str(SPEC.first_day), str(SPEC.last_day))


def test_nothing_that_names_a_customer_is_written(lender: Lender) -> None:
    folder = lender.folder / "sets" / lender.training.fingerprint

    written = b"".join(file.read_bytes() for file in folder.iterdir())

    assert b"cust_" not in written
    assert lender.training.customer.max() < 1_500


def test_more_purchases_than_the_limit_are_sampled(lender: Lender, tmp_path: Path) -> None:
    small = read_training_set(assemble(lender.warehouse, Source(), replace(SPEC, max_rows=1_000), tmp_path))

    assert 850 < small.rows < 1_150
    assert small.counts["purchases"] == lender.training.rows


def test_numbers_are_stored_in_single_precision(lender: Lender) -> None:
    assert lender.training.purchases.dtype == lender.training.behavioural.dtype == np.float32


def test_days_without_features_are_refused_and_named(lender: Lender, tmp_path: Path) -> None:
    spec = replace(SPEC, days=SPEC.days + 2)

    with pytest.raises(TrainingRefused, match=r"2 of 18 feature partitions are missing .*backfill --from") as caught:
        assemble(lender.warehouse, Source(), spec, tmp_path)

    assert str(spec.partitions[0]) in str(caught.value)


def test_days_without_purchases_are_refused(lender: Lender, tmp_path: Path) -> None:
    warehouse = DuckDBWarehouse(tmp_path / "copy", threads=1)
    (tmp_path / "copy").mkdir()
    for name in ("feature_vectors", "transactions"):
        (tmp_path / "copy" / name).symlink_to(lender.folder / "warehouse" / name)
    nobody = TrainingSpec(AS_OF, days=1, maturity_days=30)
    moved = Source(columns={"will_default": "device_is_trusted"})

    with pytest.raises(TrainingRefused, match="no column 'will_default'"):
        assemble(_without_outcomes(lender, tmp_path), Source(), nobody, tmp_path)
    assert assemble(warehouse, moved, SPEC, tmp_path / "sets").exists(), "an outcome may have another name"


@pytest.mark.parametrize("wrong", [{"days": 0}, {"maturity_days": 0}, {"max_rows": 0}])
def test_a_spec_that_means_nothing_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(TrainingRefused, match="choose at least 1"):
        TrainingSpec(AS_OF, **wrong)


def test_a_table_without_checkout_columns_trains_on_what_it_has(lender: Lender, tmp_path: Path) -> None:
    folder = tmp_path / "warehouse"
    (folder / "transactions" / "all").mkdir(parents=True)
    (folder / "feature_vectors").symlink_to(lender.folder / "warehouse" / "feature_vectors")
    files = str(lender.folder / "warehouse" / "transactions" / "*" / "*.parquet")
    fewer = duckdb.sql(
        f"SELECT * EXCLUDE (customer_income_bracket) FROM read_parquet('{files}', hive_partitioning=false)"
    )
    fewer.write_parquet(str(folder / "transactions" / "all" / "data.parquet"))

    made = read_training_set(assemble(DuckDBWarehouse(folder, threads=1), Source(), SPEC, tmp_path / "sets"))

    names = [one.name for one in made.inputs.purchase]
    assert made.rows == lender.training.rows
    assert np.isnan(made.purchases[:, names.index("customer_income_bracket")]).all()


def test_a_folder_that_is_no_training_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="holds no training set"):
        read_training_set(tmp_path)


def test_the_parts_of_a_spec_are_dates_in_order() -> None:
    spec = TrainingSpec(AS_OF, days=10, maturity_days=60)

    assert spec.last_day == AS_OF - timedelta(days=60)
    assert len(spec.partitions) == 10
    assert spec.partitions[0] == spec.first_day - timedelta(days=1)
    assert TrainingSpec.from_json(spec.to_json()) == spec


def _without_outcomes(lender: Lender, tmp_path: Path) -> DuckDBWarehouse:
    folder = tmp_path / "no-outcomes"
    (folder / "transactions" / "all").mkdir(parents=True)
    files = str(lender.folder / "warehouse" / "transactions" / "*" / "*.parquet")
    rows = duckdb.sql(f"SELECT * EXCLUDE (will_default) FROM read_parquet('{files}', hive_partitioning=false)")
    rows.write_parquet(str(folder / "transactions" / "all" / "data.parquet"))
    return DuckDBWarehouse(folder, threads=1)
