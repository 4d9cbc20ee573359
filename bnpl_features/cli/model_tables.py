"""Evaluations as tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from bnpl_features.cli.output import moment, print_table

if TYPE_CHECKING:
    from bnpl_features.console.figures.models import Models
    from bnpl_features.risk_model.ablation import GroupContribution
    from bnpl_features.risk_model.bootstrap import Interval
    from bnpl_features.risk_model.evaluation import Evaluation
    from bnpl_features.risk_model.segments import Segment

_SHOWN_OF_A_GROUP = ("roc_auc", "discrimination_ratio", "high_risk_precision")


def print_models(found: Models, *, figures: bool, audit: bool) -> None:
    rows = [
        (
            one.name,
            one.number,
            ", ".join(one.aliases),
            moment(one.created_at),
            one.fingerprint[:12],
            one.training_set[:12],
            one.layout[:12],
        )
        for one in found.versions
    ]
    columns: tuple[str, ...]
    columns = ("model", "version", "alias", "registered (UTC)", "fingerprint", "training set", "layout")
    print_table("Models", columns, rows)
    for name in found.names if figures else ():
        judged = found.judged_of(name)
        if judged:
            shown = {f"{one.role} {one.number}": one.figures for one in judged} | {"rules": judged[0].rules}
            print_table(f"{name}, on its own test purchases", ("metric", *shown), _by_metric(shown))
    if audit:
        columns = ("at (UTC)", "model", "version", "previous", "outcome", "actor", "reason")
        acts = [(moment(a.at), a.model, a.version, a.previous, a.outcome, a.actor, a.reason) for a in found.attempts]
        print_table("Promotions", columns, acts)


def print_evaluation(evaluation: Evaluation) -> None:
    """Metrics by score, then paired differences; each figure with its 95 % interval."""
    first, last = evaluation.days
    title = f"{evaluation.purchases:,} purchases, {evaluation.defaults:,} defaults, {first} to {last}"
    print_table(title, ("metric", *evaluation.figures), _by_metric(evaluation.figures))
    print_table("Differences", ("metric", *evaluation.differences), _by_metric(evaluation.differences))


def print_segments(segments: Iterable[Segment]) -> None:
    rows = [
        (one.kind, one.name, one.score, one.purchases, one.defaults, *(_cell(i) for i in one.figures.values()))
        for one in segments
    ]
    columns = (
        "by",
        "segment",
        "score",
        "purchases",
        "defaults",
        "default rate",
        "roc_auc",
        "discrimination",
        "precision",
    )
    print_table("Segments", columns, [row + ("",) * (len(columns) - len(row)) for row in rows])


def print_ablation(groups: Iterable[GroupContribution]) -> None:
    rows = [
        (one.group, metric, _cell(one.lost_without[metric]), _cell(one.gained_alone[metric]))
        for one in groups
        for metric in _SHOWN_OF_A_GROUP
    ]
    print_table("What each feature group adds", ("group", "metric", "all less without it", "it alone"), rows)


def _by_metric(columns: Mapping[str, Mapping[str, Interval]]) -> list[tuple[str, ...]]:
    metrics = dict.fromkeys(metric for figures in columns.values() for metric in figures)
    return [(metric, *(_cell(figures.get(metric)) for figures in columns.values())) for metric in metrics]


def _cell(interval: Interval | None) -> str:
    if interval is None:
        return ""
    return f"{interval.value:.4g} ({interval.low:.4g}..{interval.high:.4g})"
