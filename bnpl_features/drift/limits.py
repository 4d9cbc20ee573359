"""From where a measure is worth a warning, and what makes a shift look like a fault of the pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Limits:
    """Effect sizes; docs/drift.md says what each was chosen by.

    Attributes:
        warn, error: of the population stability index against the days before; `by_feature` has a feature's own pair.
        retrain: of the index against what the champion was trained on (or, without one, the weeks before).
        coherent_features: how many features must have moved that far before retraining is asked for.
        jensen_shannon, wasserstein, null_shift, range_shift: a warning each.
        null_burst: rise of the share of nulls that looks like an empty column.
        unit_change: factor by which all quartiles move together that looks like another unit.
        missing_share: share of the reference that a category needs so that its absence is noticed.
        collapse: a day's rows, as a share of the usual, under which volume collapsed.
        classifier: area under the curve from which two days can be told apart by all features together.
        fewest_rows: under which a day is too small to be judged by its shape.
    """

    warn: float = 0.1
    error: float = 0.25
    by_feature: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    retrain: float = 0.2
    coherent_features: int = 2
    jensen_shannon: float = 0.2
    wasserstein: float = 0.25
    null_shift: float = 0.05
    range_shift: float = 0.01
    null_burst: float = 0.2
    unit_change: float = 5.0
    missing_share: float = 0.02
    collapse: float = 0.4
    classifier: float = 0.7
    fewest_rows: int = 100

    def of(self, feature: str) -> tuple[float, float]:
        """(warn, error) of the index of a feature."""
        return self.by_feature.get(feature, (self.warn, self.error))

    def widened(self, factor: float) -> Limits:
        """For a seasonal day: shape and volume may move that much further; other signs of a fault stay."""
        if factor == 1.0:
            return self
        wider = {name: (warn * factor, error * factor) for name, (warn, error) in self.by_feature.items()}
        return replace(
            self,
            warn=self.warn * factor,
            error=self.error * factor,
            by_feature=wider,
            jensen_shannon=self.jensen_shannon * factor,
            wasserstein=self.wasserstein * factor,
            collapse=self.collapse / factor,
        )
