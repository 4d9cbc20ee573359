"""A trained model as the prediction service holds it: immutable, shared by threads, microseconds a row.

    model = read_model(folder)                          # or registry.load_model(...)
    model.name, model.version, model.fingerprint        # "behavioural", 3, 32 hex digits
    model.inputs.purchase, model.inputs.behavioural     # the order of the input vector
    reading = model.reading(layout)                     # once a published version: ModelLayoutMismatch, or a function
    vector = reading(answer.values)                     # a reader's answer -> float32 array
    model.score_one(purchase, vector)                   # probability of default, 0..1
    model.contributions(purchase, vector)               # why, largest first

`purchase` is a mapping in the warehouse's column names, as the checkout knows it; `encoding.encode_purchase` says what
is accepted. A transaction_only model takes no vector.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from bnpl_features.derive.layout import Layout
from bnpl_features.errors import ModelInputError, ModelLayoutMismatch
from bnpl_features.features.feature import Kind, Value
from bnpl_features.risk_model.calibration import Calibration, Floats
from bnpl_features.risk_model.encoding import Floats32, encode_purchase
from bnpl_features.risk_model.purchase_inputs import PurchaseInput

if TYPE_CHECKING:
    import lightgbm as lgb  # seconds with what it imports, so only where a model is read, trained or asked

    from bnpl_features.risk_model.single_row import SingleRow

Reading = Callable[[Sequence[Value]], Floats32]
"""The values of a reader's answer, in its layout's order -> the model's behavioural vector, shape [behavioural]."""

_NAN = float("nan")


@dataclass(frozen=True)
class Inputs:
    """The input vector: the purchase's numbers, then the customer's features (none in a transaction-only model), then
    the customer's velocity, by name (in a velocity model only)."""

    purchase: tuple[PurchaseInput, ...]
    layout: Layout | None = None
    velocity: tuple[str, ...] = ()

    @cached_property
    def behavioural(self) -> tuple[str, ...]:
        """What is known of the customer, velocity last."""
        return (*(self.layout.names if self.layout else ()), *self.velocity)

    @cached_property
    def names(self) -> tuple[str, ...]:
        return (*(one.name for one in self.purchase), *self.behavioural)


@dataclass(frozen=True)
class Contribution:
    """How far one input moved a score, in calibrated log-odds: above 0 towards default."""

    input: str
    log_odds: float


@dataclass(frozen=True)
class Model:
    """Scores purchases. `version` is the registry's number, 0 where it has none; `provenance` says what it comes of."""

    name: str
    fingerprint: str
    inputs: Inputs
    calibration: Calibration
    booster: lgb.Booster = field(repr=False, compare=False)
    version: int = 0
    provenance: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def score_one(self, purchase: Mapping[str, object], behavioural: Floats32 | None = None) -> float:
        """The probability of default of one purchase, 0..1; `behavioural` is what `reading` gave.

        Raises `ModelInputError`, whose `column` names the field, for a purchase or vector that cannot be scored.
        """
        return self.calibration.probability(self._margin(self._row(purchase, behavioural))[0])

    def score_batch(self, purchases: Floats32, behavioural: Floats32 | None = None, *, threads: int = 1) -> Floats:
        """Probabilities, shape [rows], of encoded purchases [rows, purchase] and vectors [rows, behavioural]."""
        parts = [purchases] if behavioural is None or not self.inputs.behavioural else [purchases, behavioural]
        matrix = np.hstack(parts).astype(np.float32, copy=False)
        if matrix.shape[1] != len(self.inputs.names):
            raise ModelInputError(
                "behavioural",
                f"{matrix.shape[1]} columns were given to model {self.name}, which takes {len(self.inputs.names)}; "
                "encode with the model's own inputs",
            )
        margins = self.booster.predict(matrix, raw_score=True, num_threads=threads)
        return self.calibration.probabilities(np.asarray(margins, dtype=np.float64))

    def contributions(
        self, purchase: Mapping[str, object], behavioural: Floats32 | None = None
    ) -> tuple[Contribution, ...]:
        """TreeSHAP contributions of every input, the largest towards default first (S. Lundberg et al., 2020).

        With the model's base they add up to the score's log-odds. This takes about a hundred times as long as a score:
        ask only where reasons are due.
        """
        slope = self.calibration.slope
        shares = self._shares(self._row(purchase, behavioural))[:-1]
        found = [Contribution(n, slope * share) for n, share in zip(self.inputs.names, shares, strict=True)]
        return tuple(sorted(found, key=lambda one: -one.log_odds))

    def reading(self, layout: Layout) -> Reading:
        """How to read a published version's answers; made once a version, then a few microseconds a call.

        Raises `ModelLayoutMismatch`, naming the features, where the layout lacks one that the model was trained on, or
        gives one another kind or other names.
        """
        return _reading(self, layout)

    @cached_property
    def _margin(self) -> SingleRow:
        from bnpl_features.risk_model.single_row import SingleRow

        return SingleRow(self.booster)

    @cached_property
    def _shares(self) -> SingleRow:
        from bnpl_features.risk_model.single_row import SingleRow

        return SingleRow(self.booster, contributions=True)

    def _row(self, purchase: Mapping[str, object], behavioural: Floats32 | None) -> list[float]:
        row = encode_purchase(self.inputs.purchase, purchase)
        wanted = len(self.inputs.behavioural)
        if not wanted:
            return row
        if behavioural is None or len(behavioural) != wanted:
            given = "no vector" if behavioural is None else f"a vector of {len(behavioural)}"
            raise ModelInputError(
                "behavioural",
                f"model {self.name} takes {wanted} behavioural features, but was given {given}; "
                "make it with model.reading(layout), or score with the transaction_only model",
            )
        row.extend(behavioural.tolist())
        return row


def _reading(model: Model, served: Layout) -> Reading:
    trained = model.inputs.layout
    if trained is None:
        return lambda values: np.empty(0, dtype=np.float32)
    at = {name: position for position, name in enumerate(served.names)}
    lacking = [name for name in trained.names if name not in at]
    differing = [
        one.name
        for one in trained.fields
        if one.name in at
        and (one.kind is not served.fields[at[one.name]].kind or not _names_fit(model, served, one.name, at))
    ]
    if lacking or differing:
        raise ModelLayoutMismatch(
            f"model {model.name} {model.version or ''} was trained on layout {trained.fingerprint}, but "
            f"{served.feature_set} ({served.fingerprint})"
            + (f" lacks {', '.join(lacking)}" if lacking else "")
            + (" and" if lacking and differing else "")
            + (f" gives another type to {', '.join(differing)}" if differing else "")
            + "; publish a version that has them, or train and promote a model on this layout"
        )
    positions = [at[name] for name in trained.names]
    codes = {
        position: {name: float(code) for code, name in enumerate(one.storage.names)}
        for position, one in enumerate(trained.fields)
        if one.kind is Kind.NAME
    }

    def read(values: Sequence[Value]) -> Floats32:
        picked: list[Any] = [values[position] for position in positions]
        for position, code_of in codes.items():
            picked[position] = code_of.get(picked[position], _NAN)
        return np.array(picked, dtype=np.float32)  # None becomes NaN

    return read


def _names_fit(model: Model, served: Layout, name: str, at: Mapping[str, int]) -> bool:
    """Whether the model knows every name that the served layout may give."""
    assert model.inputs.layout is not None
    known = model.inputs.layout.fields[model.inputs.layout.names.index(name)].storage.names
    return set(served.fields[at[name]].storage.names) <= set(known)
