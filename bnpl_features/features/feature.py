"""What a feature and a feature group are: frozen data, validated when constructed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum

from bnpl_features.features.storage import Scale, Storage

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_WINDOWED_COLUMN = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_RELEASE = re.compile(r"\d+\.\d+\.\d+")

FIRST_RELEASE = "0.1.0"

Value = int | float | str | None


class DeclarationError(ValueError):
    """A feature or group is declared in a way that cannot work; the message names it and the mend."""


@dataclass(frozen=True, order=True)
class Window:
    """The last `days` UTC dates up to and including the partition: 30 means [D-29, D]."""

    days: int

    def __post_init__(self) -> None:
        if self.days < 1:
            raise DeclarationError(f"a window needs at least one day, got {self.days}")

    def __str__(self) -> str:
        return f"{self.days}d"


WEEK = Window(7)
MONTH = Window(30)
QUARTER = Window(90)
HISTORY = Window(365)
"""The look-back: customers without a completed purchase in it have no row."""


class Kind(StrEnum):
    """The type of a value, with the BigQuery type it has in the warehouse."""

    COUNT = "INT64"
    NUMBER = "FLOAT64"
    NAME = "STRING"


@dataclass(frozen=True)
class Feature:
    """One behavioural feature of a customer.

    `sql` is an aggregate in BigQuery's dialect over the rows of the group, one group of rows a customer; `{column}` in
    it stands for the column where the purchase lies inside `window`, and NULL elsewhere. `empty` is what the feature is
    where its window holds no purchase (None: null, and then the feature is nullable). `default` is what a reader serves
    for a customer it does not know. `lower` and `upper` bound the value itself (None: unbounded); what the storage can
    hold may be narrower. `risk_direction` is what risk practice expects: 1 where default never becomes less likely as
    the value rises, -1 where never more likely, 0 where nothing is expected; models are held to it. `ages` says that
    everybody's value grows by itself, which is no drift. `since` is the release that first had the feature.
    """

    name: str
    meaning: str
    unit: str
    kind: Kind
    window: Window
    sql: str
    storage: Storage
    lower: float | None = 0.0
    upper: float | None = None
    nullable: bool = True
    empty: Value = None
    default: Value = None
    risk_direction: int = 0
    since: str = FIRST_RELEASE
    ages: bool = False

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise DeclarationError(f"feature name {self.name!r}: use lower-case letters, digits and underscores")
        if not self.meaning or "\n" in self.meaning:
            raise DeclarationError(f"feature {self.name}: the meaning must be one line of text")
        if not self.nullable and self.default is None:
            raise DeclarationError(f"feature {self.name}: never null, so it needs a default for unknown customers")
        if self.empty is not None and self.nullable:
            raise DeclarationError(f"feature {self.name}: an empty window gives {self.empty!r}, so set nullable=False")
        if (self.kind is Kind.NAME) != (self.storage.scale is Scale.NAMES):
            raise DeclarationError(f"feature {self.name}: names are stored with storage.names(...), numbers are not")
        if self.kind is Kind.COUNT and self.storage.scale is not Scale.EXACT:
            raise DeclarationError(f"feature {self.name}: a count is stored exactly, with storage.exact(...)")
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise DeclarationError(f"feature {self.name}: lower bound {self.lower} is above upper bound {self.upper}")
        if self.risk_direction not in (-1, 0, 1):
            raise DeclarationError(f"feature {self.name}: risk_direction is {self.risk_direction}; choose -1, 0 or 1")
        if self.risk_direction and self.kind is Kind.NAME:
            raise DeclarationError(f"feature {self.name}: names have no order, so no risk_direction; leave it at 0")
        if not _RELEASE.fullmatch(self.since):
            raise DeclarationError(f"feature {self.name}: since is {self.since!r}; write a release, such as 0.2.0")
        if self.default is not None and not self.accepts(self.default):
            raise DeclarationError(f"feature {self.name}: the default {self.default!r} is outside its own bounds")

    def accepts(self, value: Value) -> bool:
        """Whether `value` is one this feature may take."""
        if value is None:
            return self.nullable
        if isinstance(value, str):
            return value in self.storage.names
        if value != value or (self.kind is Kind.COUNT and value != int(value)):
            return False
        above = self.lower is None or value >= self.lower
        below = self.upper is None or value <= self.upper
        return self.kind is not Kind.NAME and above and below

    @property
    def windowed_columns(self) -> frozenset[str]:
        """The columns that `sql` uses inside the window."""
        return frozenset(_WINDOWED_COLUMN.findall(self.sql))


@dataclass(frozen=True)
class FeatureGroup:
    """Features computed together by one statement, into one table, checked and owned together.

    `purchase` adds columns to each purchase of the look-back, by name: scalar or window expressions. `rows`, where
    given, is a query over `purchases` whose rows (several a customer) the features aggregate instead of purchases.
    `history` says that `purchase` or `rows` needs all of the look-back although no feature's window says so.
    `of` names groups whose features this one's are computed from, in place of purchases: then `sql` is an expression
    over them.
    """

    name: str
    meaning: str
    owner: str
    features: tuple[Feature, ...]
    purchase: dict[str, str] = field(default_factory=dict, hash=False)
    rows: str = ""
    history: bool = False
    of: tuple[FeatureGroup, ...] = ()

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise DeclarationError(f"group name {self.name!r}: use lower-case letters, digits and underscores")
        if not self.features:
            raise DeclarationError(f"group {self.name}: declare at least one feature")
        if self.of and (self.purchase or self.rows):
            raise DeclarationError(f"group {self.name}: it is computed of other groups, so it has no purchases or rows")
        seen: set[str] = set()
        for feature in self.features:
            if feature.name in seen:
                raise DeclarationError(f"group {self.name}: feature {feature.name} is declared twice; rename one")
            seen.add(feature.name)

    @property
    def look_back(self) -> Window:
        """The longest stretch of days that any part of the group reads."""
        return HISTORY if self.history else max(feature.window for feature in self.features)

    @property
    def table(self) -> str:
        """The warehouse table that holds the group, one partition a day."""
        return f"feature_{self.name}"
