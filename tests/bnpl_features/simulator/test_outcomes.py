"""Outcomes come later, at due dates, to a few purchases, and behaviour foretells them better than the risk score."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

BEHAVIOUR = ("count_30d", "night_30d", "high_risk_90d", "utilization_30d", "untrusted_90d")


def test_a_missed_payment_falls_on_a_due_date_of_its_loan(year: pa.Table) -> None:
    defaulted = year.filter(year["will_default"])
    days = defaulted["days_to_first_missed_payment"].to_numpy()

    assert set(days) == {14, 28, 42, 56, 70, 84}
    assert (days <= 14 * defaulted["installment_count"].to_numpy()).all()


def test_a_missed_payment_is_known_exactly_where_the_purchase_defaults(year: pa.Table) -> None:
    assert pc.is_valid(year["days_to_first_missed_payment"]).equals(year["will_default"])


def test_only_completed_purchases_default(year: pa.Table) -> None:
    assert pc.unique(year.filter(year["will_default"])["status"]).to_pylist() == ["completed"]


def test_five_to_eight_of_a_hundred_completed_purchases_default(year: pa.Table) -> None:
    completed = year.filter(pc.equal(year["status"], "completed"))

    assert 0.05 < pc.mean(completed["will_default"].cast(pa.int8())).as_py() < 0.08


def test_the_default_rate_has_no_trend_of_the_simulators_making(year: pa.Table) -> None:
    month = pc.month(year["transaction_timestamp"])
    rates = pa.table({"month": month, "rate": year["will_default"].cast(pa.int8())}).group_by("month")

    monthly = rates.aggregate([("rate", "mean")])["rate_mean"].to_numpy()

    assert monthly.min() > 0.75 * monthly.mean()
    assert monthly.max() < 1.25 * monthly.mean()


def test_the_risk_score_alone_predicts_default_imperfectly(history: pd.DataFrame) -> None:
    assert 0.57 < auc(history["risk_score"], history) < 0.67


@pytest.mark.parametrize("sign", [*BEHAVIOUR, "devices_90d", "missed_90d"])
def test_each_sign_of_stress_in_the_past_foretells_default(history: pd.DataFrame, sign: str) -> None:
    assert auc(history[sign], history) > 0.56


def test_behaviour_foretells_default_better_than_the_risk_score(history: pd.DataFrame) -> None:
    behaviour = sum(standardised(history[sign]) for sign in BEHAVIOUR)
    missed = standardised(history["missed_90d"].clip(upper=3))
    score = auc(history["risk_score"], history)

    assert auc(behaviour, history) > score + 0.03
    assert auc(behaviour + 2 * missed, history) > score + 0.08


def test_a_missed_payment_tells_more_than_the_risk_score_knows(history: pd.DataFrame) -> None:
    alike = history[history["risk_score"].between(0.30, 0.35)]

    missed, paid = default_rates(alike, alike["missed_90d"] > 0)

    assert missed > 2 * paid


def test_customers_whose_night_share_rises_default_more_often(history: pd.DataFrame) -> None:
    enough = history[history["count_30d"] >= 3]

    rising, others = default_rates(enough, enough["night_30d"] > enough["night_before"] + 0.2)

    assert rising > 1.3 * others


def test_customers_whose_gaps_shrink_default_more_often(history: pd.DataFrame) -> None:
    usual = history[history["count_before"].between(1, 4)]

    shrinking, others = default_rates(usual, usual["count_30d"] > 1.5 * usual["count_before"])

    assert shrinking > 1.1 * others


def test_customers_whose_amounts_rise_default_more_often(history: pd.DataFrame) -> None:
    usual = history[history["amount_before"].between(80, 200)]

    rising, others = default_rates(usual, usual["amount_30d"] > 1.5 * usual["amount_before"])

    assert rising > 1.1 * others


@pytest.mark.parametrize("sign", ["count_30d", "night_30d", "high_risk_90d", "devices_90d", "untrusted_90d"])
def test_without_stress_the_same_signs_foretell_nothing(calm_history: pd.DataFrame, sign: str) -> None:
    assert auc(calm_history[sign], calm_history) == pytest.approx(0.5, abs=0.04)


def auc(prediction: pd.Series, history: pd.DataFrame) -> float:
    """Chance that a defaulting purchase is predicted riskier than one that is paid."""
    rank = prediction.fillna(prediction.median()).rank().to_numpy()
    defaulted: npt.NDArray[np.bool_] = history["will_default"].to_numpy(dtype=bool)
    bad, good = int(defaulted.sum()), int((~defaulted).sum())
    return float((rank[defaulted].sum() - bad * (bad + 1) / 2) / (bad * good))


def standardised(values: pd.Series) -> pd.Series:
    return ((values - values.mean()) / values.std()).fillna(0.0)


def default_rates(history: pd.DataFrame, where: pd.Series) -> tuple[float, float]:
    return history[where]["will_default"].mean(), history[~where]["will_default"].mean()
