"""Whether a challenger may become champion: the figures that it must hold, with 95 % confidence.

The gate asks, on the challenger's test purchases and of the same resampled customers, that no agreed metric may have
become worse by more than its margin. A first champion has to beat the rules instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from bnpl_features.risk_model.bootstrap import RESAMPLES, Interval, Report, to_nobody
from bnpl_features.risk_model.evaluation import evaluate_scores, score_rows
from bnpl_features.risk_model.metrics import LOWER_IS_BETTER
from bnpl_features.risk_model.model import Model
from bnpl_features.risk_model.registry import CHALLENGER, CHAMPION
from bnpl_features.risk_model.rules import RULES, rules_score
from bnpl_features.risk_model.training_set import TrainingSet


@dataclass(frozen=True)
class Criterion:
    """A metric that may become worse by at most `margin`, which is a share of the champion's value if `is_relative`."""

    metric: str
    margin: float
    is_relative: bool = False

    def allowed_loss(self, champion: float) -> float:
        return self.margin * abs(champion) if self.is_relative else self.margin


CRITERIA = (
    Criterion("roc_auc", 0.01),
    Criterion("discrimination_ratio", 0.10, is_relative=True),
    Criterion("high_risk_precision", 0.10, is_relative=True),
    Criterion("brier", 0.02, is_relative=True),
    Criterion("calibration_error", 0.01),
)
"""What a challenger must hold. Margins are about one side of a figure's own interval on 70,000 purchases."""

AGAINST_RULES = (
    Criterion("roc_auc", 0.0),
    Criterion("discrimination_ratio", 0.0),
    Criterion("high_risk_precision", 0.0),
)
"""What a first champion must hold against the rules."""


@dataclass(frozen=True)
class Finding:
    """One criterion: the challenger's figure less the champion's, and whether it may pass."""

    metric: str
    champion: float
    challenger: float
    difference: Interval
    allowed_loss: float
    passed: bool

    def __str__(self) -> str:
        verdict = "holds" if self.passed else "does not hold"
        return (
            f"{self.metric} {self.challenger:.4g} against {self.champion:.4g}: difference {self.difference}, "
            f"allowed loss {self.allowed_loss:.4g}, {verdict}"
        )


def examine(
    challenger: Model,
    champion: Model | None,
    training: TrainingSet,
    *,
    resamples: int = RESAMPLES,
    threads: int = 1,
    report: Report = to_nobody,
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """The findings of the gate, and objections in words; without objections the challenger may pass."""
    rows = training.test
    before = score_rows(champion, training, rows, threads=threads) if champion else rules_score(training, rows)
    # Whoever is called `rules` is not measured as probabilities.
    scores = {
        CHAMPION if champion else RULES: before,
        CHALLENGER: score_rows(challenger, training, rows, threads=threads),
    }
    evaluation = evaluate_scores(scores, training, rows, resamples=resamples, report=report)
    (difference,) = evaluation.differences.values()
    old, new = (evaluation.figures[name] for name in scores)
    findings = tuple(
        _finding(one, old[one.metric], new[one.metric], difference[one.metric])
        for one in (CRITERIA if champion else AGAINST_RULES)
    )
    objections = [str(finding) for finding in findings if not finding.passed]
    first_test_day = training.days_of(rows)[0]
    objections += [
        f"{name} {model.version} was trained on purchases up to {last}, and the test begins on {first_test_day}"
        for name, model in ((CHAMPION, champion), (CHALLENGER, challenger))
        if model and (last := _last_trained_day(model)) and last >= date.fromisoformat(first_test_day)
    ]
    return findings, tuple(objections)


def _finding(criterion: Criterion, old: Interval, new: Interval, difference: Interval) -> Finding:
    allowed = criterion.allowed_loss(old.value)
    worst = -difference.high if criterion.metric in LOWER_IS_BETTER else difference.low
    # NaN, where a figure cannot be said, does not pass.
    passed = worst > -allowed
    return Finding(criterion.metric, old.value, new.value, difference, allowed, passed)


def _last_trained_day(model: Model) -> date | None:
    days = model.provenance.get("days", {}).get("validation")
    return date.fromisoformat(days[1]) if days else None
