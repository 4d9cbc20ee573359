"""A training set as Parquet, read back by tools that know nothing of this project."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from bnpl_features.errors import InputError, ModelMissing
from bnpl_features.features.feature import Kind
from bnpl_features.risk_model import training_export
from bnpl_features.risk_model.training_export import chosen_folder, export_training_set
from tests.lender import AS_OF, MATURITY_DAYS, Lender


@pytest.fixture(scope="module")
def exported(lender: Lender, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("export") / "training.parquet"
    export_training_set(lender.training, file)
    return file


def test_every_number_of_the_set_is_in_the_file(exported: Path, lender: Lender) -> None:
    training, frame = lender.training, pd.read_parquet(exported)
    assert len(frame) == training.rows
    names = {one.name: one.values for one in training.inputs.purchase}
    assert training.inputs.layout is not None
    names |= {one.name: one.storage.names for one in training.inputs.layout.fields}
    given = np.hstack([training.purchases, training.behavioural, training.velocity])
    assert given.shape[1] == len(training.inputs.names)

    for column, name in enumerate(training.inputs.names):
        found = frame[name]
        if names.get(name):
            found = found.astype(object).map({text: code for code, text in enumerate(names[name])})
        np.testing.assert_array_equal(found.astype("float32").to_numpy(), given[:, column], err_msg=name)
    assert frame["defaulted"].astype(int).tolist() == training.defaulted.tolist()
    assert frame["is_known_customer"].tolist() == training.known.tolist()
    assert (frame["risk_level"].cat.codes == training.risk_level).all()


def test_the_parts_are_those_that_the_models_use(exported: Path, lender: Lender) -> None:
    frame = pd.read_parquet(exported)

    for part in ("train", "validation", "test"):
        rows = getattr(lender.training, part)
        days = frame.loc[frame["part"] == part, "day"]
        assert len(days) == rows.stop - rows.start
        assert (str(days.min()), str(days.max())) == lender.training.days_of(rows)
    assert frame["day"].is_monotonic_increasing
    assert (AS_OF - frame["day"].max()).days >= MATURITY_DAYS


def test_no_column_identifies_a_customer(exported: Path, lender: Lender) -> None:
    names = pq.read_schema(exported).names

    assert len(set(names)) == len(names) == len(lender.training.inputs.names) + 5
    assert not [name for name in names if name.endswith("_id") or name == "customer"]
    assert b"cust_" not in exported.read_bytes()


def test_types_and_meanings_travel_with_the_file(exported: Path, lender: Lender) -> None:
    schema = pq.read_schema(exported)

    assert str(schema.field("amount").type) == "float"
    assert str(schema.field("device_is_trusted").type) == "bool"
    assert str(schema.field("hour_of_day").type) == "int8"
    assert "string" in str(schema.field("product_category").type)
    assert str(schema.field("day").type) == "date32[day]"
    assert lender.training.inputs.layout is not None
    for one in lender.training.inputs.layout.fields:
        assert (str(schema.field(one.name).type) == "int32") == (one.kind is Kind.COUNT), one.name
    assert all(field.metadata[b"meaning"] for field in schema)
    assert schema.metadata[b"training_set"].decode() == lender.training.fingerprint
    assert json.loads(schema.metadata[b"spec"])["as_of"] == AS_OF.isoformat()


def test_rows_are_written_some_at_a_time(lender: Lender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_export, "ROWS_AT_ONCE", 1_000)

    export_training_set(lender.training, tmp_path / "parts.parquet")

    found = pq.ParquetFile(tmp_path / "parts.parquet")
    assert found.num_row_groups == -(-lender.training.rows // 1_000)
    assert pd.read_parquet(tmp_path / "parts.parquet")["part"].value_counts()["test"] == (
        lender.training.rows - lender.training.boundaries[1]
    )


def test_a_set_is_chosen_by_fingerprint_by_its_beginning_or_as_the_latest(lender: Lender) -> None:
    folder, fingerprint = lender.folder / "sets", lender.training.fingerprint

    assert {chosen_folder(folder, which).name for which in ("latest", fingerprint, fingerprint[:12])} == {fingerprint}
    with pytest.raises(ModelMissing, match=f"no training set ffff.*{fingerprint}.*bnpl-features train"):
        chosen_folder(folder, "ffff" * 8)
    with pytest.raises(ModelMissing, match="there: none"):
        chosen_folder(folder / "nowhere", "latest")


def test_an_ambiguous_beginning_is_refused(tmp_path: Path) -> None:
    for name in ("ab12", "ab34"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "training_set.json").write_text("{}")

    with pytest.raises(InputError, match="2 training sets begin with 'ab'"):
        chosen_folder(tmp_path, "ab")


def test_what_cannot_be_written_leaves_nothing(lender: Lender, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        export_training_set(lender.training, tmp_path / "missing" / "file.parquet")

    assert list(tmp_path.iterdir()) == []
