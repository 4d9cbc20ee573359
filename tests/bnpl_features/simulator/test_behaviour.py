"""Customers join, buy in a rhythm, change devices, fall asleep and come back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from bnpl_features.simulator import Population, simulate


@pytest.fixture(scope="module")
def purchases(year: pa.Table) -> pd.DataFrame:
    frame = year.to_pandas()
    frame["moment"] = frame["transaction_timestamp"]
    frame["day"] = frame["moment"].dt.floor("D")
    return frame.sort_values(["customer_id", "moment"])


@pytest.mark.parametrize("rate", [4.0, 24.0, 100.0])
def test_customers_buy_as_often_as_the_population_says(rate: float) -> None:
    population = Population(3_000, date(2025, 1, 1), date(2025, 12, 31), joined_share=1.0, purchases_per_year=rate)

    rows = sum(batch.num_rows for batch in simulate(population))

    assert rows / 3_000 == pytest.approx(rate, rel=0.1)


def test_some_customers_buy_much_more_often_than_others(purchases: pd.DataFrame) -> None:
    counts = purchases.groupby("customer_id").size()

    assert counts.quantile(0.9) > 5 * counts.quantile(0.2)


def test_customers_join_over_time_and_do_not_buy_before(purchases: pd.DataFrame) -> None:
    joined = purchases["day"] - pd.to_timedelta(purchases["customer_tenure_days"], unit="D")
    per_customer = joined.groupby(purchases["customer_id"])

    assert (purchases["customer_tenure_days"] >= 0).all()
    assert (per_customer.min() == per_customer.max()).all()
    late = per_customer.min() >= pd.Timestamp("2025-01-01", tz="UTC")
    assert 0.15 < late.mean() < 0.3
    assert per_customer.min()[late].dt.month.nunique() == 12


def test_some_customers_go_dormant_and_come_back(purchases: pd.DataFrame) -> None:
    gaps = purchases.groupby("customer_id")["moment"].diff().dt.days
    busy = purchases.groupby("customer_id")["moment"].transform("size") >= 20

    slept = gaps[busy].groupby(purchases["customer_id"]).max() > 90

    assert 0.02 < slept.mean() < 0.3


def test_customers_own_few_devices_and_get_new_ones_which_are_not_trusted_at_first(purchases: pd.DataFrame) -> None:
    first_use = purchases.groupby("device_id")["day"].transform("min")
    new = (first_use >= pd.Timestamp("2025-06-01", tz="UTC")) & (purchases["customer_tenure_days"] > 300)
    fresh = purchases[new & (purchases["day"] < first_use + pd.Timedelta(days=7))]
    settled = purchases[new & (purchases["day"] > first_use + pd.Timedelta(days=60))]

    assert purchases.groupby("customer_id")["device_id"].nunique().mean() == pytest.approx(1.9, abs=0.3)
    assert purchases.groupby("device_id")["device_type"].nunique().eq(1).all()
    assert purchases["device_is_trusted"].mean() == pytest.approx(0.95, abs=0.02)
    assert fresh["device_is_trusted"].mean() < 0.65
    assert settled["device_is_trusted"].mean() > 0.95


def test_purchases_follow_the_day_the_week_and_the_year(purchases: pd.DataFrame) -> None:
    hour, weekday, day = (getattr(purchases["moment"].dt, part) for part in ("hour", "dayofweek", "day"))
    per_day = purchases[purchases["customer_tenure_days"] > 365].groupby("day").size()

    assert 0.08 < ((hour >= 22) | (hour < 6)).mean() < 0.16
    assert 0.6 < hour.between(9, 17).mean() < 0.75
    assert 0.2 < (weekday >= 5).mean() < 2 / 7
    assert weekday.value_counts().idxmax() == 4
    payday = per_day[per_day.index.day.isin([1, 2, 3, 15, 16, 17])].mean()
    assert payday > 1.1 * per_day[per_day.index.day.isin([8, 9, 10, 22, 23, 24])].mean()
    assert per_day[per_day.index.month == 12].mean() > 1.15 * per_day[per_day.index.month == 2].mean()
    assert day.nunique() == 31


def test_a_few_purchases_are_not_completed(purchases: pd.DataFrame) -> None:
    share = purchases["status"].value_counts(normalize=True)

    assert 0.93 < share["completed"] < 0.97
    assert share.drop("completed").between(0.002, 0.05).all()


def test_the_credit_limit_is_sometimes_unknown_and_never_falls(purchases: pd.DataFrame) -> None:
    known = purchases.dropna(subset="payment_credit_limit")
    change = known.groupby("customer_id")["payment_credit_limit"].diff().dropna()

    assert 0.03 < purchases["payment_credit_limit"].isna().mean() < 0.08
    assert (change >= 0).all()
    assert (change > 0).sum() > 100


def test_amounts_depend_on_the_category(purchases: pd.DataFrame) -> None:
    median = purchases.groupby("product_category")["amount"].median()

    assert list(median.sort_values().index) == ["beauty", "clothing", "sports", "home", "electronics"]
    assert 100 < purchases["amount"].median() < 140


def test_hurried_customers_spend_less_time_on_the_site(purchases: pd.DataFrame) -> None:
    seconds = purchases.groupby("purchase_context")["time_on_site_seconds"]

    assert seconds.max()["rushed"] <= 120
    assert seconds.median()["rushed"] < seconds.median()["impulse"] < seconds.median()["normal"]


def test_a_higher_hazard_brings_more_defaults_and_changes_nothing_else() -> None:
    usual = Population(500, date(2025, 1, 1), date(2025, 2, 28))
    outcomes = ["will_default", "days_to_first_missed_payment"]

    mild, harsh = (pa.Table.from_batches(simulate(replace(usual, default_hazard=hazard))) for hazard in (0.0, 3.0))

    assert not np.any(mild["will_default"].to_numpy())
    assert harsh["will_default"].to_numpy().mean() > 0.1
    assert mild.drop_columns(outcomes).equals(harsh.drop_columns(outcomes))
