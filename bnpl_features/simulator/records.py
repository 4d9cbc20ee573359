"""One week's purchases as an Arrow record batch in the schema of `transactions`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bnpl_features.simulator import identifiers, marginals
from bnpl_features.simulator.basket import Baskets
from bnpl_features.simulator.checkout import Checkouts
from bnpl_features.simulator.customers import Customers
from bnpl_features.simulator.demand import MICROSECONDS_PER_DAY, Visits
from bnpl_features.simulator.marginals import Codes
from bnpl_features.simulator.population import DAYS_PER_WEEK, Population
from bnpl_features.simulator.schema import TRANSACTIONS

FIRST_PAYMENT_SHARE = 0.25
"""The lender asks a quarter at checkout, whatever the number of installments."""


def record_batch(
    population: Population,
    week: int,
    customers: Customers,
    visits: Visits,
    baskets: Baskets,
    checkouts: Checkouts,
    days_to_first_missed: npt.NDArray[np.int64],
) -> pa.RecordBatch:
    """The purchases of one block and week; `days_to_first_missed` is 0 where nothing is missed."""
    number = customers.number[visits.customer]
    missed = (days_to_first_missed > 0) & (checkouts.status == 0)
    columns = {
        "transaction_id": identifiers.transaction_ids(number, _yyyymmdd(population, week, visits.day), visits.ordinal),
        "customer_id": identifiers.customer_ids(number),
        "transaction_timestamp": _timestamps(population.first_day, visits),
        "amount": pa.array(baskets.amount),
        "status": _strings(checkouts.status, marginals.STATUS),
        "product_category": _strings(baskets.category, marginals.CATEGORY),
        "product_risk_category": _strings(baskets.product_risk, marginals.PRODUCT_RISK),
        "device_id": identifiers.device_ids(number, checkouts.device),
        "device_type": _strings(checkouts.device_type, marginals.DEVICE_TYPE),
        "device_is_trusted": pa.array(checkouts.trusted),
        "risk_score": pa.array(checkouts.risk_score),
        "risk_level": _strings(_risk_level(checkouts), marginals.RISK_LEVEL),
        "purchase_context": _strings(checkouts.context, marginals.CONTEXT),
        "checkout_speed": _strings(checkouts.speed, marginals.CHECKOUT_SPEED),
        "payment_credit_limit": pa.array(baskets.limit, mask=np.isnan(baskets.limit)),
        "installment_count": pa.array(np.array(marginals.INSTALLMENTS, dtype=np.int64)[baskets.installments]),
        "will_default": pa.array(missed),
        "days_to_first_missed_payment": pa.array(days_to_first_missed, mask=~missed),
        "product_price": pa.array(baskets.amount),
        "payment_provider": _strings(checkouts.provider, marginals.PROVIDER),
        "time_on_site_seconds": pa.array(checkouts.seconds_on_site),
        "price_comparison_time": pa.array(checkouts.seconds_comparing),
        "cart_abandonment_count": pa.array(checkouts.abandoned_carts),
        "first_payment_amount": pa.array(np.round(FIRST_PAYMENT_SHARE * baskets.amount, 2)),
        "customer_age_bracket": _strings(customers.age[visits.customer], marginals.AGE),
        "customer_income_bracket": _strings(customers.income[visits.customer], marginals.INCOME),
        "customer_credit_score_range": _strings(customers.credit_score[visits.customer], marginals.CREDIT_SCORE),
        "customer_verification_level": _strings(customers.verification[visits.customer], marginals.VERIFICATION),
        "customer_address_stability": _strings(customers.address[visits.customer], marginals.ADDRESS),
        "customer_tenure_days": pa.array(baskets.tenure),
        "customer_state": _strings(customers.state[visits.customer], marginals.STATES),
    }
    return pa.RecordBatch.from_arrays([columns[name] for name in TRANSACTIONS.names], schema=TRANSACTIONS)


def _strings(codes: Codes, values: Iterable[str]) -> pa.StringArray:
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(list(values))).cast(pa.string())


def _risk_level(checkouts: Checkouts) -> Codes:
    return np.searchsorted(marginals.RISK_LEVEL_FROM, checkouts.risk_score, side="right").astype(np.int8)


def _timestamps(first_day: date, visits: Visits) -> pa.TimestampArray:
    midnight = datetime(first_day.year, first_day.month, first_day.day, tzinfo=UTC)
    epoch_days = (midnight - datetime(1970, 1, 1, tzinfo=UTC)).days
    microseconds = (visits.day + epoch_days) * MICROSECONDS_PER_DAY + visits.microsecond
    return pa.array(microseconds).cast(pa.timestamp("us", tz="UTC"))


def _yyyymmdd(population: Population, week: int, day: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    dates = [population.first_day_of(week) + timedelta(days=offset) for offset in range(DAYS_PER_WEEK)]
    written = np.array([10_000 * each.year + 100 * each.month + each.day for each in dates], dtype=np.int64)
    return written[day - week * DAYS_PER_WEEK]
