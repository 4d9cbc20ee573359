"""Which purchase columns a feature is computed from."""

from __future__ import annotations

import pytest

from bnpl_features.derive.lineage import inputs_of
from bnpl_features.features.catalog import BEHAVIOURAL, GROUPS
from bnpl_features.features.feature import Feature, FeatureGroup
from bnpl_features.features.purchase import PURCHASE_COLUMNS

EVERY_FEATURE = pytest.mark.parametrize(
    ("feature", "group"),
    [(feature, group) for group in GROUPS for feature in group.features],
    ids=lambda part: part.name if isinstance(part, Feature) else "",
)


@EVERY_FEATURE
def test_every_feature_depends_on_when_and_whether_a_purchase_was_completed(
    feature: Feature, group: FeatureGroup
) -> None:
    assert {"transaction_timestamp", "status"} <= set(inputs_of(feature, group))


@EVERY_FEATURE
def test_inputs_are_feature_inputs_of_the_contract_in_its_order(feature: Feature, group: FeatureGroup) -> None:
    known = [column.name for column in PURCHASE_COLUMNS if column.feature_input]

    inputs = inputs_of(feature, group)

    assert [name for name in known if name in inputs] == list(inputs)


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("txn_count_7d", {"transaction_timestamp", "status"}),
        ("amount_mean_30d", {"transaction_timestamp", "status", "amount"}),
        (
            "credit_utilization_30d",
            {"transaction_timestamp", "status", "amount", "payment_credit_limit", "customer_id"},
        ),
        ("high_risk_share_30d", {"transaction_timestamp", "status", "risk_level"}),
        ("rushed_share_30d", {"transaction_timestamp", "status", "purchase_context", "checkout_speed"}),
        ("missed_payments_90d", {"transaction_timestamp", "status", "days_to_first_missed_payment"}),
        ("category_entropy_30d", {"transaction_timestamp", "status", "product_category", "customer_id"}),
        ("risk_score_trend_90d", {"transaction_timestamp", "status", "risk_score"}),
    ],
)
def test_inputs_go_through_the_groups_own_columns(name: str, inputs: set[str]) -> None:
    ((feature, group),) = [(f, g) for g in BEHAVIOURAL.groups for f in g.features if f.name == name]

    assert set(inputs_of(feature, group)) == inputs


def test_a_group_with_rows_of_its_own_depends_on_all_that_they_read() -> None:
    device = next(group for group in GROUPS if group.rows)

    for feature in device.features:
        assert {"customer_id", "device_id", "device_type", "device_is_trusted"} <= set(inputs_of(feature, device))
