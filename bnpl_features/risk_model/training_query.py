"""The point-in-time join: each completed purchase of some days, beside its customer's features of the day before.

The features of a purchase on date d are those of partition d - 1, the newest that the scoring service could have had.
Labels are outcomes within the maturity: a default is a first missed payment at most that many days after the purchase.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

from bnpl_features.derive.query import Query
from bnpl_features.derive.table import CUSTOMER_COLUMN, PARTITION_COLUMN, vectors_table
from bnpl_features.derive.velocity_query import velocity_relations, windowed_features
from bnpl_features.errors import TrainingRefused
from bnpl_features.features.catalog import FeatureSet
from bnpl_features.features.purchase import COMPLETED, TIMESTAMP_COLUMN
from bnpl_features.risk_model.purchase_inputs import PURCHASE_INPUTS

ROW_KEY, CUSTOMER_KEY, MICROS, DEFAULTED, KNOWN, RISK_LEVEL = (
    "row_key",
    "customer_key",
    "timestamp_us",
    "defaulted",
    "is_known",
    "risk_level",
)
"""Columns of the join beside inputs and features."""

_KEY_DIGITS = 15
"""Hex digits of a hash that order and number rows: 60 bits, which a signed 64-bit integer holds."""

_SAMPLE_DIGITS = 8
_EVERY_ROW = "g"
"""Greater than any hex digit."""


@dataclass(frozen=True)
class TrainingSpec:
    """Which purchases train a model: with the same spec and purchases the training set is the same, byte for byte.

    Attributes:
        as_of: the last day whose outcomes count, a UTC date that is over.
        days: days of purchases, the last of which is `maturity_days` before `as_of`.
        maturity_days: how long a purchase has to default; also how old it must be before its label counts.
        max_rows: about the most purchases; of more a sample by hash is taken.
        seed: of the sample, and of training.
    """

    as_of: date
    days: int = 120
    maturity_days: int = 60
    max_rows: int = 1_000_000
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("days", "maturity_days", "max_rows"):
            if getattr(self, name) < 1:
                raise TrainingRefused(f"{name} is {getattr(self, name)}; choose at least 1")

    @property
    def last_day(self) -> date:
        return self.as_of - timedelta(days=self.maturity_days)

    @property
    def first_day(self) -> date:
        return self.last_day - timedelta(days=self.days - 1)

    @property
    def partitions(self) -> list[date]:
        """The feature partitions that the join reads."""
        return [self.first_day - timedelta(days=1) + timedelta(days=n) for n in range(self.days)]

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"as_of": self.as_of.isoformat()}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> TrainingSpec:
        return cls(**(value | {"as_of": date.fromisoformat(value["as_of"])}))


def partitions_query(feature_set: FeatureSet, spec: TrainingSpec) -> Query:
    """One row a partition that exists: its `partition_date`."""
    return Query(
        f"SELECT DISTINCT {PARTITION_COLUMN}\nFROM {vectors_table(feature_set).name}\n"
        f"WHERE {PARTITION_COLUMN} BETWEEN @first_partition AND @last_partition",
        {"first_partition": spec.partitions[0], "last_partition": spec.partitions[-1]},
    )


def size_query(source: str, spec: TrainingSpec) -> Query:
    """One row: `purchases` with a label, and `unresolved` ones, whose outcome is null although it is due."""
    return Query(
        "SELECT COUNT(will_default) AS purchases, COUNT(*) - COUNT(will_default) AS unresolved\n"
        f"FROM {source}\nWHERE {_IN_RANGE}",
        _range(spec),
    )


def rows_query(source: str, feature_set: FeatureSet, spec: TrainingSpec, share: float) -> Query:
    """The join, of a `share` of the purchases (0..1) that depends on the seed only; and each customer's velocity.

    `source` is the relation, or the parenthesised query, that yields the canonical columns.
    """
    columns = list(dict.fromkeys(one.column for one in PURCHASE_INPUTS if one.column != TIMESTAMP_COLUMN))
    purchase = ",\n  ".join(f"purchases.{name}" for name in columns)
    features = [feature.name for feature in feature_set.features]
    vector = ",\n  ".join(f"vectors.{name}" for name in features)
    identity = (
        f"CONCAT(@salt, transaction_id, '|', {CUSTOMER_COLUMN}, '|', CAST(UNIX_MICROS({TIMESTAMP_COLUMN}) AS STRING))"
    )
    listed = ",\n    ".join([*columns, RISK_LEVEL])
    relations, velocity_parameters = velocity_relations(spec.first_day, spec.last_day, source)
    windowed = ",\n  ".join(f"velocity.{feature.name}" for feature in windowed_features())
    return Query(
        f"""WITH {", ".join(relations)},
purchases AS (
  SELECT
    {CUSTOMER_COLUMN},
    transaction_id,
    DIV(UNIX_MICROS({TIMESTAMP_COLUMN}), 1000) AS at_ms,
    DATE_SUB(DATE({TIMESTAMP_COLUMN}), INTERVAL 1 DAY) AS feature_date,
    TO_HEX(MD5({identity})) AS {ROW_KEY},
    SUBSTR(TO_HEX(MD5(CONCAT(@salt, {CUSTOMER_COLUMN}))), 1, {_KEY_DIGITS}) AS {CUSTOMER_KEY},
    UNIX_MICROS({TIMESTAMP_COLUMN}) AS {MICROS},
    IF(will_default AND COALESCE(days_to_first_missed_payment, 0) <= @maturity_days, 1, 0) AS {DEFAULTED},
    {listed}
  FROM {source}
  WHERE {_IN_RANGE}
    AND will_default IS NOT NULL
),
vectors AS (
  SELECT *
  FROM {vectors_table(feature_set).name}
  WHERE {PARTITION_COLUMN} BETWEEN @first_partition AND @last_partition
)
SELECT
  SUBSTR(purchases.{ROW_KEY}, 1, {_KEY_DIGITS}) AS {ROW_KEY},
  purchases.{CUSTOMER_KEY},
  purchases.{MICROS},
  purchases.{DEFAULTED},
  purchases.{RISK_LEVEL},
  IF(vectors.{CUSTOMER_COLUMN} IS NULL, 0, 1) AS {KNOWN},
  {purchase},
  {vector},
  {windowed}
FROM purchases
LEFT JOIN vectors
  ON vectors.{CUSTOMER_COLUMN} = purchases.{CUSTOMER_COLUMN} AND vectors.{PARTITION_COLUMN} = purchases.feature_date
LEFT JOIN velocity
  ON velocity.{CUSTOMER_COLUMN} = purchases.{CUSTOMER_COLUMN}
  AND velocity.transaction_id = purchases.transaction_id
  AND velocity.at_ms = purchases.at_ms
WHERE SUBSTR(purchases.{ROW_KEY}, {_KEY_DIGITS + 1}, {_SAMPLE_DIGITS}) < @sample_below""",
        {
            **_range(spec),
            **velocity_parameters,
            "first_partition": spec.partitions[0],
            "last_partition": spec.partitions[-1],
            "maturity_days": spec.maturity_days,
            "salt": f"{spec.seed}|",
            "sample_below": _EVERY_ROW if share >= 1.0 else f"{int(share * 16**_SAMPLE_DIGITS):0{_SAMPLE_DIGITS}x}",
        },
    )


_IN_RANGE = (
    f"{TIMESTAMP_COLUMN} >= TIMESTAMP(@first_day)\n"
    f"    AND {TIMESTAMP_COLUMN} < TIMESTAMP(DATE_ADD(@last_day, INTERVAL 1 DAY))\n"
    f"    AND status = '{COMPLETED}'"
)


def _range(spec: TrainingSpec) -> dict[str, date | int | float | str]:
    return {"first_day": spec.first_day, "last_day": spec.last_day}
