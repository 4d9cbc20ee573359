"""One row and many, threads, reasons, layouts, files."""

from __future__ import annotations

import json
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bnpl_features.derive.layout import Layout, layout_of
from bnpl_features.errors import ModelInputError, ModelLayoutMismatch, ModelMissing
from bnpl_features.features.catalog import BEHAVIOURAL as SET
from bnpl_features.features.feature import Kind
from bnpl_features.features.storage import exact, names
from bnpl_features.risk_model.encoding import encode_purchase
from bnpl_features.risk_model.model import Model
from bnpl_features.risk_model.model_files import DESCRIPTION, TREES, read_model, write_model
from bnpl_features.risk_model.purchase_inputs import PURCHASE_INPUTS
from bnpl_features.risk_model.training import BEHAVIOURAL, TRANSACTION_ONLY
from bnpl_features.simulator import simulate
from bnpl_features.store.codec import Codec
from tests.lender import POPULATION, Lender

LAYOUT = layout_of(SET)


@pytest.fixture(scope="module")
def purchases() -> list[dict[str, Any]]:
    return next(iter(simulate(POPULATION))).slice(0, 200).to_pylist()  # type: ignore[no-any-return]


def vectors(lender: Lender, count: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.asarray(lender.training.behavioural[:count])


def test_one_row_scores_as_the_same_row_among_many(lender: Lender, purchases: list[dict[str, Any]]) -> None:
    encoded = np.array([encode_purchase(PURCHASE_INPUTS, purchase) for purchase in purchases], dtype=np.float32)
    daily = vectors(lender, len(purchases))
    for model in lender.models.values():
        velocity = lender.training.velocity[: len(purchases), : len(model.inputs.velocity)]
        behavioural = np.hstack([daily, velocity])
        many = model.score_batch(encoded, behavioural)

        singly = [model.score_one(p, v) for p, v in zip(purchases, behavioural, strict=True)]
        assert singly == pytest.approx(many.tolist(), abs=1e-12)
        assert ((many > 0) & (many < 1)).all()


def test_threads_share_a_model(lender: Lender, purchases: list[dict[str, Any]]) -> None:
    model, behavioural = lender.models[BEHAVIOURAL], vectors(lender, len(purchases))
    expected = [model.score_one(p, v) for p, v in zip(purchases, behavioural, strict=True)]

    def work(_: int) -> list[float]:
        return [model.score_one(p, v) for p, v in zip(purchases, behavioural, strict=True)]

    with ThreadPoolExecutor(8) as pool:
        assert all(found == expected for found in pool.map(work, range(40)))


def test_a_model_cannot_be_changed(lender: Lender) -> None:
    with pytest.raises(AttributeError):
        lender.models[BEHAVIOURAL].version = 2  # type: ignore[misc]


def test_contributions_add_up_to_the_log_odds_of_the_score(lender: Lender, purchases: list[dict[str, Any]]) -> None:
    model, vector = lender.models[BEHAVIOURAL], vectors(lender, 1)[0]

    found = model.contributions(purchases[0], vector)

    score = model.score_one(purchases[0], vector)
    row = np.array([[*encode_purchase(PURCHASE_INPUTS, purchases[0]), *vector]], dtype=np.float32)
    base = model.calibration.slope * model.booster.predict(row, pred_contrib=True)[0, -1] + model.calibration.intercept
    assert sum(one.log_odds for one in found) + base == pytest.approx(math.log(score / (1 - score)))
    assert {one.input for one in found} == set(model.inputs.names)
    assert [one.log_odds for one in found] == sorted((one.log_odds for one in found), reverse=True)


def test_a_transaction_only_model_needs_no_vector(lender: Lender, purchases: list[dict[str, Any]]) -> None:
    model = lender.models[TRANSACTION_ONLY]

    assert model.inputs.behavioural == ()
    assert model.score_one(purchases[0]) == model.score_one(purchases[0], vectors(lender, 1)[0])


@pytest.mark.parametrize("vector", [None, np.zeros(3, dtype=np.float32)])
def test_a_behavioural_model_says_what_vector_it_takes(
    lender: Lender, purchases: list[dict[str, Any]], vector: Any
) -> None:
    with pytest.raises(ModelInputError, match=f"takes {len(LAYOUT.names)} behavioural features"):
        lender.models[BEHAVIOURAL].score_one(purchases[0], vector)


def test_a_matrix_of_other_width_is_refused(lender: Lender) -> None:
    with pytest.raises(ModelInputError, match="3 columns were given"):
        lender.models[TRANSACTION_ONLY].score_batch(np.zeros((2, 3), dtype=np.float32))


class TestReading:
    def test_an_answer_becomes_the_vector_that_training_saw(self, lender: Lender) -> None:
        codec = Codec(LAYOUT)
        columns = {name: np.array([0.0, 1.0]) for name in LAYOUT.names} | {"amount_mean_30d": np.array([np.nan, 3.0])}
        records = codec.encode(columns).records
        reading = lender.models[BEHAVIOURAL].reading(LAYOUT)

        for position, decoded in enumerate(codec.decode(records).astype(np.float32)):
            values = codec.decode_one(records[position].tobytes())
            assert values is not None
            np.testing.assert_array_equal(reading(values), decoded)

    def test_a_wider_layout_in_another_order_is_read_by_name(self, lender: Lender) -> None:
        extra = replace(LAYOUT.fields[0], name="extra", storage=exact(width_bytes=1))
        shuffled = Layout("wider@2", (extra, *reversed(LAYOUT.fields)))
        values = tuple(range(len(shuffled.fields)))

        found = lender.models[BEHAVIOURAL].reading(Layout("wider@2", shuffled.fields))(values)

        stage = LAYOUT.names.index("lifecycle_stage")
        expected = np.arange(len(LAYOUT.fields), 0, -1, dtype=np.float32)
        expected[stage] = np.nan  # a number is no name of a stage
        np.testing.assert_array_equal(found, expected)

    def test_a_layout_that_lacks_a_feature_is_refused_by_its_name(self, lender: Lender) -> None:
        narrower = Layout("narrow@1", tuple(f for f in LAYOUT.fields if f.name != "missed_payments_90d"))

        with pytest.raises(ModelLayoutMismatch, match="lacks missed_payments_90d"):
            lender.models[BEHAVIOURAL].reading(narrower)

    @pytest.mark.parametrize(
        "change", [{"kind": Kind.NUMBER, "storage": exact(width_bytes=1)}, {"storage": names("odd")}]
    )
    def test_a_feature_of_another_type_is_refused(self, lender: Lender, change: dict[str, Any]) -> None:
        changed = tuple(replace(f, **change) if f.name == "lifecycle_stage" else f for f in LAYOUT.fields)

        with pytest.raises(ModelLayoutMismatch, match="another type to lifecycle_stage"):
            lender.models[BEHAVIOURAL].reading(Layout("odd@1", changed))

    def test_a_transaction_only_model_reads_any_layout(self, lender: Lender) -> None:
        assert lender.models[TRANSACTION_ONLY].reading(LAYOUT)(()).size == 0


class TestFiles:
    @pytest.fixture
    def folder(self, lender: Lender, tmp_path: Path) -> Path:
        return write_model(lender.models[BEHAVIOURAL], tmp_path / "model")

    def test_a_model_survives_its_files(self, lender: Lender, folder: Path, purchases: list[dict[str, Any]]) -> None:
        kept, vector = read_model(folder, version=3), vectors(lender, 1)[0]

        written: Model = lender.models[BEHAVIOURAL]
        assert kept == replace(written, version=3)
        assert kept.score_one(purchases[0], vector) == written.score_one(purchases[0], vector)

    def test_a_missing_folder_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ModelMissing, match="holds no model"):
            read_model(tmp_path)

    def test_files_that_do_not_belong_together_are_refused(self, folder: Path) -> None:
        described = json.loads((folder / DESCRIPTION).read_text())
        described["calibration"]["slope"] *= 2
        (folder / DESCRIPTION).write_text(json.dumps(described))

        with pytest.raises(ModelMissing, match="do not belong together"):
            read_model(folder)

    @pytest.mark.parametrize("content", ["", "{}", "[]", '{"name": 1}'])
    def test_a_damaged_description_is_refused(self, folder: Path, content: str) -> None:
        (folder / DESCRIPTION).write_text(content)

        with pytest.raises(ModelMissing, match="holds no model that this release can read"):
            read_model(folder)

    def test_damaged_trees_are_refused(self, folder: Path) -> None:
        (folder / TREES).write_text("tree")

        with pytest.raises(ModelMissing):
            read_model(folder)
