"""The models that score now: an immutable set, replaced as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bnpl_features.derive.layout import Layout
from bnpl_features.errors import ModelLayoutMismatch
from bnpl_features.risk_model.model import Model, Reading

VELOCITY, BEHAVIOURAL, TRANSACTION_ONLY = "velocity", "behavioural", "transaction_only"
"""From the one that wants to know most of the customer to the one that needs nothing."""


@dataclass(frozen=True)
class ActiveModels:
    """The champions by name, and every version that is at hand by name and number."""

    champions: Mapping[str, Model]
    versions: Mapping[tuple[str, int], Model]
    _readings: dict[tuple[str, str], Reading | ModelLayoutMismatch] = field(default_factory=dict, repr=False)

    def reading(self, model: Model, layout: Layout) -> Reading | None:
        """How the model reads answers of this layout; None where the layout lacks what it was trained on."""
        key = model.fingerprint, layout.fingerprint
        found = self._readings.get(key)
        if found is None:
            try:
                found = model.reading(layout)
            except ModelLayoutMismatch as error:
                found = error
            self._readings[key] = found
        return None if isinstance(found, ModelLayoutMismatch) else found

    @property
    def champion(self) -> Model | None:
        """The one that is meant to score: that which wants to know most of the customer."""
        return self.champions.get(VELOCITY) or self.champions.get(BEHAVIOURAL)

    @property
    def feature_sets(self) -> frozenset[str]:
        """The sets that the models at hand were trained on."""
        layouts = [one.inputs.layout for one in (*self.champions.values(), *self.versions.values())]
        return frozenset(layout.feature_set for layout in layouts if layout is not None)

    @property
    def mismatches(self) -> tuple[str, ...]:
        """Why models could not read a layout that was served."""
        return tuple(str(one) for one in self._readings.values() if isinstance(one, ModelLayoutMismatch))

    @property
    def can_score(self) -> bool:
        """Whether there is a model for every purchase, whatever is known of the customer."""
        return TRANSACTION_ONLY in self.champions


NO_MODELS = ActiveModels({}, {})
