"""The oracle against values worked out by hand, and the edge cases against what their names promise."""

import datetime
import functools
import math

import pandas as pd
import pyarrow as pa
import pytest

from tests import edge_cases
from tests.edge_cases import PARTITION, PARTITIONS, SCHEMA, STORIES, buy, customer, edge_case_transactions, row, when
from tests.oracle import GROUPS, NEVER_NULL_INTEGERS, features

NULL = None  # "this feature is null"

# Friday, March 1: the 7d window begins on February 24, the 30d window on February 1, the 90d window on December 3.
MONDAY_JANUARY_1, SATURDAY_FEBRUARY_10, MONDAY_FEBRUARY_12 = (
    datetime.date(2024, 1, 1),
    datetime.date(2024, 2, 10),
    datetime.date(2024, 2, 12),
)
ORDINARY_CUSTOMER = [
    buy(
        MONDAY_JANUARY_1,
        "10:00:00",
        amount=90.0,
        category="clothing",
        device="A",
        risk=0.9,
        limit=500.0,
        missed=45,  # February 15
    ),
    buy(
        SATURDAY_FEBRUARY_10,
        "23:00:00",
        amount=10.0,
        device="A",
        trusted=False,
        risk=0.3,
        limit=None,
        missed=30,  # not known before March 11
    ),
    buy(
        MONDAY_FEBRUARY_12,
        "11:00:00",
        amount=20.0,
        category_risk="high",
        device="B",
        device_type="desktop",
        risk=0.5,
        level="high",
        limit=None,
    ),
    buy(
        MONDAY_FEBRUARY_12,
        "23:00:00",
        amount=30.0,
        category="clothing",
        device="B",
        device_type="desktop",
        risk=0.7,
        level="very_high",
        context="rushed",
        limit=None,
    ),
]


def test_ordinary_customer_has_the_volume_worked_out_by_hand():
    assert_features(
        of(ORDINARY_CUSTOMER),
        txn_count_7d=0,
        txn_count_30d=3,
        txn_count_90d=4,
        amount_sum_30d=60.0,
        amount_mean_30d=20.0,
        amount_max_30d=30.0,
        amount_std_30d=10.0,  # (100 + 0 + 100) / 2 = 100
        amount_cv_30d=0.5,
        active_days_30d=2,
        credit_utilization_30d=0.12,  # 60 / 500
    )


def test_ordinary_customer_has_the_times_worked_out_by_hand():
    assert_features(
        of(ORDINARY_CUSTOMER),
        weekend_share_30d=1 / 3,
        night_share_30d=2 / 3,
        business_hours_share_30d=1 / 3,
        gap_mean_hours_30d=24.0,  # gaps of 36 and 12 hours
        gap_std_hours_30d=math.sqrt(288),  # 12 * 12 + 12 * 12
        gap_min_hours_30d=12.0,
    )


def test_ordinary_customer_has_the_categories_worked_out_by_hand():
    assert_features(
        of(ORDINARY_CUSTOMER),
        category_count_30d=2,
        category_entropy_30d=0.6365141682948128,  # ln 3 - (2/3) ln 2
        top_category_share_30d=2 / 3,
        high_risk_category_share_30d=1 / 3,
        category_switch_share_30d=1 / 2,
    )


def test_ordinary_customer_has_the_devices_worked_out_by_hand():
    assert_features(
        of(ORDINARY_CUSTOMER),
        device_count_30d=2,
        top_device_share_30d=2 / 3,
        trusted_device_share_30d=2 / 3,
        new_device_share_30d=2 / 3,
        mobile_share_30d=1 / 3,
    )


def test_ordinary_customer_has_the_risk_worked_out_by_hand():
    assert_features(
        of(ORDINARY_CUSTOMER),
        risk_score_mean_30d=0.5,
        risk_score_max_30d=0.7,
        spend_ratio_30d_90d=1.2,  # 60 / (150 / 3)
        high_risk_share_30d=2 / 3,
        rushed_share_30d=1 / 3,
        missed_payments_90d=1,
        days_since_missed_payment=15,
        days_since_last_txn=18,
        days_since_first_txn=60,
        lifecycle_stage="active",
    )


def test_trend_is_the_slope_worked_out_by_hand():
    # Days 0, 1, 2, 3 against 1, 3, 2, 5: (2.625 - 0.125 - 0.375 + 3.375) / (2.25 + 0.25 + 0.25 + 2.25) = 5.5 / 5.
    amounts, scores = (1.0, 3.0, 2.0, 5.0), (0.1, 0.3, 0.2, 0.5)
    story = [buy(day - 80, amount=amounts[day], risk=scores[day]) for day in range(4)]
    assert_features(of(story), amount_trend_90d=1.1, risk_score_trend_90d=0.11)


def test_trend_measures_elapsed_time_and_not_dates():
    # 0, 12 and 24 hours: 1 USD each half day is 2 USD a day, although two of the three share a date.
    story = [buy(-3, "06:00:00", amount=1.0), buy(-3, "18:00:00", amount=2.0), buy(-2, "06:00:00", amount=3.0)]
    assert_features(of(story), amount_trend_90d=2.0, risk_score_trend_90d=0.0)


def test_trend_with_unequal_steps_is_the_slope_worked_out_by_hand():
    # Days 0, 1, 5 (mean 2) against 0, 6, 3 (mean 3): (6 - 3 + 0) / (4 + 1 + 9) = 3 / 14.
    story = [buy(-50, amount=0.0), buy(-49, amount=6.0), buy(-45, amount=3.0)]
    assert_features(of(story), amount_trend_90d=3 / 14)


def test_entropy_of_four_equal_categories_is_two_bits_in_nats():
    story = [buy(-day, category=f"category {day}") for day in range(4)]
    assert_features(of(story), category_entropy_30d=2 * math.log(2), top_category_share_30d=0.25)


def test_customer_of_the_last_quarter_only_is_empty_in_30d_and_full_in_90d():
    # Days 0, 20, 40 against 20, 30, 40 USD: half a dollar a day.
    assert_features(
        edge("only_outside_30d"),
        txn_count_90d=3,
        amount_trend_90d=0.5,
        risk_score_trend_90d=0.0,
        spend_ratio_30d_90d=0.0,
        missed_payments_90d=0,
        days_since_missed_payment=NULL,
        days_since_last_txn=40,
        days_since_first_txn=80,
        lifecycle_stage="cooling",
        **EMPTY_30D,
    )


def test_customer_long_gone_is_empty_in_90d_too():
    assert_features(
        edge("only_outside_90d"),
        txn_count_90d=0,
        amount_trend_90d=NULL,
        risk_score_trend_90d=NULL,
        spend_ratio_30d_90d=NULL,
        days_since_last_txn=100,
        days_since_first_txn=300,
        lifecycle_stage="dormant",
        **EMPTY_30D,
    )


def test_features_of_a_partition_depend_on_nothing_after_it():
    table = edge_case_transactions().to_pandas()
    known = table[table["transaction_timestamp"] < pd.Timestamp(PARTITION, tz="UTC") + pd.Timedelta(days=1)]
    pd.testing.assert_frame_equal(features(table, PARTITION), features(known, PARTITION))


def test_features_do_not_depend_on_the_order_of_the_rows():
    table = edge_case_transactions().to_pandas()
    turned = table.sort_values("transaction_id", ascending=False)
    pd.testing.assert_frame_equal(features(table, PARTITION), features(turned, PARTITION))


def test_features_have_one_row_a_customer_and_the_columns_in_order():
    frame = everyone(PARTITION).reset_index()
    names = [name for group in GROUPS.values() for name in group]
    assert [len(group) for group in GROUPS.values()] == [10, 6, 5, 5, 12, 1]
    assert list(frame.columns) == ["customer_id", *names]
    assert frame["customer_id"].is_unique
    assert frame[list(NEVER_NULL_INTEGERS)].dtypes.eq("int64").all()


def test_no_customers_is_an_empty_frame_with_all_columns():
    frame = features(SCHEMA.empty_table().to_pandas(), PARTITION)
    assert frame.shape == (0, 40)


def test_everyone_keeps_the_relations_between_features():
    frame = everyone(PARTITION)
    shares = [name for name in frame.columns if "share" in name]
    assert frame[shares].stack().between(0, 1).all()
    assert (frame["txn_count_7d"] <= frame["txn_count_30d"]).all()
    assert (frame["txn_count_30d"] <= frame["txn_count_90d"]).all()
    assert (frame["days_since_last_txn"] <= frame["days_since_first_txn"]).all()
    assert (frame["txn_count_30d"].eq(0) == frame["amount_mean_30d"].isna()).all()
    assert (frame["days_since_last_txn"].lt(30) == frame["txn_count_30d"].gt(0)).all()
    assert frame["category_entropy_30d"].dropna().ge(0).all()
    assert set(frame["lifecycle_stage"]) == {"new", "reactivated", "active", "cooling", "dormant"}


def test_edge_cases_are_unique_typed_and_the_same_every_time():
    table = edge_case_transactions()
    assert table.schema == SCHEMA
    assert table.schema.field("transaction_timestamp").type == pa.timestamp("us", tz="UTC")
    assert len(set(table["transaction_id"].to_pylist())) == table.num_rows
    assert table.equals(edge_case_transactions())


def test_edge_cases_hold_the_stories_and_the_crowd():
    chapters = (
        edge_cases.HOW_MANY,
        edge_cases.WINDOWS,
        edge_cases.STATUSES,
        edge_cases.AMOUNTS,
        edge_cases.LIMITS,
        edge_cases.CLOCK,
        edge_cases.CATEGORIES,
        edge_cases.DEVICES,
        edge_cases.OUTCOMES,
        edge_cases.STAGES,
    )
    customers = set(edge_case_transactions()["customer_id"].to_pylist())
    assert len(STORIES) == sum(len(chapter) for chapter in chapters)  # no name is told twice
    assert len(customers) == len(PARTITIONS) * len(STORIES) + edge_cases.RANDOM_CUSTOMERS


def test_crowd_has_rows_of_every_status_and_customers_of_every_stage():
    crowd = everyone(PARTITION).filter(like="crowd_", axis="index")
    assert {said["status"] for said in edge_cases.crowd()} == {"completed", "pending", "failed", "cancelled"}
    assert set(crowd["lifecycle_stage"]) == {"new", "reactivated", "active", "cooling", "dormant"}


EMPTY_30D = dict.fromkeys((name for group in GROUPS.values() for name in group if name.endswith("_30d")), NULL) | {
    "txn_count_30d": 0,
    "amount_sum_30d": 0.0,
    "active_days_30d": 0,
    "category_count_30d": 0,
    "device_count_30d": 0,
}

ABSENT = (
    "midnight_of_365_days_ago",
    "last_instant_of_365_days_ago",
    "midnight_after_the_partition",
    "only_outside_history",
    "only_after_the_partition",
    "only_pending",
    "only_failed",
    "only_cancelled",
    "completed_only_before_history",
)


@pytest.mark.parametrize("partition", PARTITIONS)
def test_customers_without_a_completed_purchase_in_history_have_no_row(partition):
    present = {name for name in STORIES if customer(name, partition) in everyone(partition).index}
    assert set(STORIES) - present == set(ABSENT)


# What is true of a story in every partition. A story about a date of the calendar is in ON_A_DATE.
EXPECTED = {
    "one_purchase": {
        "amount_std_30d": NULL,
        "amount_cv_30d": NULL,
        "gap_mean_hours_30d": NULL,
        "gap_std_hours_30d": NULL,
        "gap_min_hours_30d": NULL,
        "category_switch_share_30d": NULL,
        "category_entropy_30d": 0.0,
        "top_category_share_30d": 1.0,
        "amount_trend_90d": NULL,
        "spend_ratio_30d_90d": 3.0,
        "credit_utilization_30d": 0.1,
        "new_device_share_30d": 1.0,
    },
    "two_purchases": {
        "amount_std_30d": math.sqrt(200),
        "amount_cv_30d": math.sqrt(200) / 40,
        "gap_mean_hours_30d": 48.0,
        "gap_min_hours_30d": 48.0,
        "gap_std_hours_30d": NULL,
        "category_switch_share_30d": 1.0,
        "category_entropy_30d": math.log(2),
        "amount_trend_90d": NULL,
    },
    "same_timestamp_twice": {"gap_mean_hours_30d": 0.0, "gap_min_hours_30d": 0.0, "category_switch_share_30d": 1.0},
    "same_timestamp_three_times": {
        "gap_mean_hours_30d": 0.0,
        "gap_std_hours_30d": 0.0,
        "category_switch_share_30d": 1.0,
        "amount_trend_90d": NULL,
        "risk_score_trend_90d": NULL,
        "active_days_30d": 1,
    },
    "same_timestamp_ids_against_amounts": {"category_switch_share_30d": 1.0},
    "three_hundred_purchases": {
        "txn_count_7d": 70,
        "txn_count_30d": 300,
        "active_days_30d": 30,
        "gap_mean_hours_30d": 2.4,
        "gap_std_hours_30d": 0.0,
        "category_count_30d": 3,
        "category_entropy_30d": math.log(3),
        "category_switch_share_30d": 1.0,
        "top_device_share_30d": 0.2,
    },
    # 10, 20, 60 USD on seconds 0, 1, 2: 25 USD a second; 0.1, 0.3, 0.2: 0.05 a second.
    "one_second_gaps": {
        "gap_mean_hours_30d": 1 / 3600,
        "amount_trend_90d": 25.0 * 86400,
        "risk_score_trend_90d": 0.05 * 86400,
    },
    "one_microsecond_gap": {"gap_mean_hours_30d": 1 / 3.6e9, "gap_min_hours_30d": 1 / 3.6e9},
    "gap_over_midnight": {"gap_min_hours_30d": 1 / 3.6e9, "active_days_30d": 2},
    "gap_as_wide_as_the_window": {"gap_mean_hours_30d": 720 - 1 / 3.6e9},
    "gap_that_begins_before_the_window": {"gap_mean_hours_30d": 24.0, "gap_std_hours_30d": NULL},
    "midnight_of_6_days_ago": {"txn_count_7d": 1},
    "midnight_of_7_days_ago": {"txn_count_7d": 0, "txn_count_30d": 1},
    "last_instant_of_7_days_ago": {"txn_count_7d": 0, "txn_count_30d": 1},
    "midnight_of_29_days_ago": {"txn_count_30d": 1, "lifecycle_stage": "new"},
    "midnight_of_30_days_ago": {"txn_count_30d": 0, "txn_count_90d": 1, "lifecycle_stage": "cooling"},
    "last_instant_of_30_days_ago": {"txn_count_30d": 0, "txn_count_90d": 1, "lifecycle_stage": "cooling"},
    "midnight_of_89_days_ago": {"txn_count_90d": 1, "spend_ratio_30d_90d": 0.0, "lifecycle_stage": "cooling"},
    "midnight_of_90_days_ago": {"txn_count_90d": 0, "spend_ratio_30d_90d": NULL, "lifecycle_stage": "cooling"},
    "last_instant_of_90_days_ago": {"txn_count_90d": 0, "lifecycle_stage": "cooling"},
    "midnight_of_364_days_ago": {"txn_count_90d": 0, "days_since_first_txn": 364, "lifecycle_stage": "dormant"},
    "last_instant_of_the_partition": {"txn_count_7d": 1, "days_since_last_txn": 0},
    "both_sides_of_the_end": {"txn_count_7d": 1, "amount_sum_30d": 40.0, "credit_utilization_30d": 0.04},
    "trend_cut_at_90d": {"txn_count_90d": 3, "amount_trend_90d": 0.0},
    "two_in_90d_three_in_history": {"txn_count_90d": 2, "amount_trend_90d": NULL},
    "not_completed_rows_beside_one_completed": {
        "txn_count_30d": 1,
        "amount_sum_30d": 80.0,
        "credit_utilization_30d": 0.2,
        "new_device_share_30d": 1.0,
        "category_switch_share_30d": NULL,
        "missed_payments_90d": 0,
        "days_since_missed_payment": NULL,
        "days_since_first_txn": 5,
        "days_since_last_txn": 5,
        "lifecycle_stage": "new",
    },
    "zero_amount_once": {"amount_mean_30d": 0.0, "amount_cv_30d": NULL, "credit_utilization_30d": 0.0},
    "zero_amount_among_others": {"amount_mean_30d": 30.0, "amount_std_30d": 30.0, "amount_cv_30d": 1.0},
    "zero_amounts_only": {
        "amount_std_30d": 0.0,
        "amount_cv_30d": NULL,
        "amount_trend_90d": 0.0,
        "spend_ratio_30d_90d": NULL,
        "credit_utilization_30d": 0.0,
    },
    "zero_amounts_in_30d_spending_before": {"spend_ratio_30d_90d": 0.0},
    "equal_amounts": {"amount_std_30d": 0.0, "amount_cv_30d": 0.0, "amount_trend_90d": 0.0},
    "large_amounts": {"amount_sum_30d": 15_000_000.5, "amount_max_30d": 9_999_999.99},
    "large_amounts_close_together": {"amount_std_30d": 0.25, "amount_trend_90d": 0.25},
    "constant_risk_score": {"risk_score_mean_30d": 0.1, "risk_score_max_30d": 0.1, "risk_score_trend_90d": 0.0},
    "risk_scores_of_0_and_1": {"risk_score_mean_30d": 0.5, "risk_score_max_30d": 1.0, "high_risk_share_30d": 0.5},
    "limit_always_null": {"credit_utilization_30d": NULL},
    "limit_zero": {"credit_utilization_30d": NULL},
    "limit_zero_after_another": {"credit_utilization_30d": NULL},
    "limit_null_after_another": {"credit_utilization_30d": 0.4},
    "limit_changed": {"credit_utilization_30d": 0.25},
    "limit_older_than_the_window": {"credit_utilization_30d": 0.2},
    "limit_older_than_history": {"credit_utilization_30d": NULL},
    "limit_known_late": {"credit_utilization_30d": NULL},
    "limit_on_a_pending_row": {"credit_utilization_30d": NULL},
    "limit_twice_at_one_timestamp": {"credit_utilization_30d": 0.25},
    "limit_twice_at_one_timestamp_null_last": {"credit_utilization_30d": 0.4},
    "over_the_limit": {"credit_utilization_30d": 2.5},
    "at_00_00_00": {"night_share_30d": 1.0, "business_hours_share_30d": 0.0},
    "at_05_59_59": {"night_share_30d": 1.0, "business_hours_share_30d": 0.0},
    "at_06_00_00": {"night_share_30d": 0.0, "business_hours_share_30d": 0.0},
    "at_08_59_59": {"night_share_30d": 0.0, "business_hours_share_30d": 0.0},
    "at_09_00_00": {"night_share_30d": 0.0, "business_hours_share_30d": 1.0},
    "at_17_59_59": {"night_share_30d": 0.0, "business_hours_share_30d": 1.0},
    "at_18_00_00": {"night_share_30d": 0.0, "business_hours_share_30d": 0.0},
    "at_21_59_59": {"night_share_30d": 0.0, "business_hours_share_30d": 0.0},
    "at_22_00_00": {"night_share_30d": 1.0, "business_hours_share_30d": 0.0},
    "at_23_59_59": {"night_share_30d": 1.0, "business_hours_share_30d": 0.0},
    "last_instant_of_friday": {"weekend_share_30d": 0.0},
    "midnight_of_saturday": {"weekend_share_30d": 1.0},
    "last_instant_of_sunday": {"weekend_share_30d": 1.0},
    "midnight_of_monday": {"weekend_share_30d": 0.0},
    "around_a_weekend": {"weekend_share_30d": 0.5},
    "unknown_categories": {"category_count_30d": 5, "high_risk_category_share_30d": 0.2},
    "categories_that_look_alike": {"category_count_30d": 5, "category_entropy_30d": math.log(5)},
    "one_category": {"category_entropy_30d": 0.0, "category_switch_share_30d": 0.0, "top_category_share_30d": 1.0},
    "two_categories_tied_at_the_top": {"top_category_share_30d": 0.5, "category_switch_share_30d": 1.0},
    "categories_of_all_risks": {"high_risk_category_share_30d": 1 / 3},
    "rushed_in_either_way": {"rushed_share_30d": 0.75},
    "all_risk_levels": {"high_risk_share_30d": 0.5},
    "many_devices": {"device_count_30d": 12, "top_device_share_30d": 1 / 12, "trusted_device_share_30d": 1 / 3},
    "device_types": {"mobile_share_30d": 0.5},
    "untrusted_device": {"trusted_device_share_30d": 0.0},
    "old_device_and_new_device": {"new_device_share_30d": 2 / 3, "top_device_share_30d": 2 / 3},
    "device_first_seen_29_days_ago": {"new_device_share_30d": 1.0},
    "device_first_seen_30_days_ago": {"new_device_share_30d": 0.0},
    "device_first_seen_on_day_one_of_history": {"new_device_share_30d": 0.0},
    "device_seen_only_before_history": {"new_device_share_30d": 1.0},
    "device_seen_before_in_a_failed_row": {"new_device_share_30d": 1.0},
    "shared_device_long_known": {"new_device_share_30d": 0.0},
    "shared_device_new_to_this_customer": {"new_device_share_30d": 1.0},
    "missed_on_the_partition": {"missed_payments_90d": 1, "days_since_missed_payment": 0},
    "missed_the_day_after": {"missed_payments_90d": 0, "days_since_missed_payment": NULL},
    "missed_89_days_ago": {"missed_payments_90d": 1, "days_since_missed_payment": 89},
    "missed_90_days_ago": {"missed_payments_90d": 0, "days_since_missed_payment": 90},
    "missed_on_the_day_of_purchase": {"missed_payments_90d": 1, "days_since_missed_payment": 0},
    "missed_several_times": {"missed_payments_90d": 3, "days_since_missed_payment": 10},
    "missed_twice_on_one_day": {"missed_payments_90d": 2, "days_since_missed_payment": 10},
    "missed_late_beside_long_ago": {"missed_payments_90d": 0, "days_since_missed_payment": 160},
    "missed_on_a_purchase_of_day_one_of_history": {"missed_payments_90d": 1, "days_since_missed_payment": 4},
    "missed_on_a_purchase_before_history": {"missed_payments_90d": 0, "days_since_missed_payment": NULL},
    "missed_on_a_pending_row": {"missed_payments_90d": 0, "days_since_missed_payment": NULL},
    "default_without_a_date": {"missed_payments_90d": 0, "days_since_missed_payment": NULL},
    "missed_without_a_verdict": {"missed_payments_90d": 1, "days_since_missed_payment": 10},
    "missed_and_no_default": {"missed_payments_90d": 1, "days_since_missed_payment": 10},
    "first_29_days_ago": {"lifecycle_stage": "new", "days_since_first_txn": 29},
    "first_30_days_ago": {"lifecycle_stage": "active", "days_since_first_txn": 30},
    "first_before_history_again_5_days_ago": {"lifecycle_stage": "new", "days_since_first_txn": 5},
    "last_29_days_ago": {"lifecycle_stage": "active"},
    "last_30_days_ago": {"lifecycle_stage": "cooling"},
    "last_31_days_ago": {"lifecycle_stage": "cooling"},
    "last_90_days_ago": {"lifecycle_stage": "cooling"},
    "last_91_days_ago": {"lifecycle_stage": "dormant"},
    "once_30_days_ago": {"lifecycle_stage": "cooling"},
    "back_after_90_days": {"lifecycle_stage": "active"},
    "back_after_91_days": {"lifecycle_stage": "reactivated"},
    "back_after_91_days_and_busy_since": {"lifecycle_stage": "reactivated"},
    "back_on_the_first_day_of_the_window": {"lifecycle_stage": "reactivated"},
    "back_just_before_the_window": {"lifecycle_stage": "active"},
    "back_before_the_window_and_gone": {"lifecycle_stage": "cooling"},
    "back_after_a_year": {"lifecycle_stage": "reactivated"},
    "back_after_a_failed_row_between": {"lifecycle_stage": "reactivated"},
}

ON_A_DATE = [
    ("february_29", datetime.date(2024, 2, 29), {"txn_count_7d": 3, "active_days_30d": 2, "days_since_last_txn": 0}),
    ("february_29", datetime.date(2024, 3, 1), {"txn_count_7d": 3, "active_days_30d": 2, "days_since_last_txn": 1}),
    (
        "missed_over_february_29",
        datetime.date(2024, 2, 29),
        {"missed_payments_90d": 1, "days_since_missed_payment": 0},
    ),
    (
        "missed_over_february_29",
        datetime.date(2024, 3, 1),
        {"missed_payments_90d": 2, "days_since_missed_payment": 0},
    ),
]


@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.parametrize("name", EXPECTED)
def test_edge_case_has_the_features_its_name_promises(name, partition):
    assert_features(edge(name, partition), **EXPECTED[name])


@pytest.mark.parametrize(("name", "partition", "expected"), ON_A_DATE)
def test_edge_case_on_a_date_of_the_calendar_has_the_features_of_that_partition(name, partition, expected):
    assert_features(edge(name, partition), **expected)


def of(story: list[dict]) -> pd.Series:
    """The features of one customer, whose story is told for PARTITION."""
    rows = [row("someone", f"{number}", when(said, PARTITION), said) for number, said in enumerate(story)]
    return features(pa.Table.from_pylist(rows, schema=SCHEMA).to_pandas(), PARTITION).iloc[0]


def edge(name: str, partition: datetime.date = PARTITION) -> pd.Series:
    return everyone(partition).loc[customer(name, partition)]


@functools.cache
def everyone(partition: datetime.date) -> pd.DataFrame:
    return features(edge_case_transactions().to_pandas(), partition).set_index("customer_id")


def assert_features(actual: pd.Series, **expected) -> None:
    found = {name: NULL if pd.isna(actual[name]) else actual[name] for name in expected}
    assert found == {
        name: pytest.approx(value, rel=1e-9, abs=1e-12) if isinstance(value, float) else value
        for name, value in expected.items()
    }
