"""Commands that train, judge and promote risk models."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from bnpl_features.cli.model_tables import print_ablation, print_evaluation, print_models, print_segments
from bnpl_features.cli.output import acting_user, console, named_exit, print_json, progress_bar
from bnpl_features.cli.purchases import yesterday
from bnpl_features.connect.data import open_target, open_warehouse
from bnpl_features.connect.models import model_registry, training_set_behind, training_spec
from bnpl_features.errors import InputError
from bnpl_features.features.catalog import set_named
from bnpl_features.features.segment import SEGMENTS, Segment, segment_named
from bnpl_features.settings import ModelSettings, Settings, load_settings

if TYPE_CHECKING:
    from bnpl_features.risk_model.evaluation import Evaluation
    from bnpl_features.risk_model.registry import Version
    from bnpl_features.risk_model.training_set import TrainingSet

_NAMES = ("transaction_only", "behavioural", "velocity")
_ALL_NAMES = (*_NAMES, *(one.model for one in SEGMENTS if one.model))
_AS_OF = click.option(
    "--as-of", type=click.DateTime(["%Y-%m-%d"]), help="Last day whose outcomes count (default: yesterday, UTC)."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")


@click.command()
@click.option("--figures", is_flag=True, help="Also how champions and challengers were judged, with intervals.")
@click.option("--audit", is_flag=True, help="Also list promotions and refusals, newest first.")
@_JSON
def models(figures: bool, audit: bool, as_json: bool) -> None:
    """List the registered models.

    Example: bnpl-features models --audit
    """
    from bnpl_features.console.figures.models import models as all_models

    with named_exit():
        found = all_models(model_registry(load_settings().model))
    if as_json:
        made = asdict(found)
        print_json({"models": made["versions"], "judged": made["judged"], "promotions": made["attempts"]})
        return
    print_models(found, figures=figures, audit=audit)


@click.command()
@_AS_OF
@click.option("--days", type=click.IntRange(1), help="Days of purchases (default: the setting).")
@click.option("--segment", type=click.Choice([one.name for one in SEGMENTS]), help="The segment's own model instead.")
@_JSON
def train(as_of: datetime | None, days: int | None, segment: str | None, as_json: bool) -> None:
    """Train the models on the warehouse's purchases and features, evaluate and register them as challengers.

    The features of every day must be there: `bnpl-features backfill` computes them.

    Example: bnpl-features train --as-of 2026-11-20
    """
    with named_exit():
        settings = load_settings()
        last = as_of.date() if as_of else yesterday()
        own = segment_named(segment) if segment else None
        training, evaluation, registered = train_and_register(settings, last, days, own)
    if as_json:
        print_json({"registered": [one.__dict__ for one in registered], "evaluation": evaluation.to_json()})
        return
    spec = training.spec
    console.print(
        f"{training.rows:,} purchases, {spec.first_day} to {spec.last_day}, training set {training.fingerprint}"
    )
    print_evaluation(evaluation)
    for one in registered:
        console.print(f"{one.name} {one.number} is registered as {', '.join(one.aliases)}")
    console.print(f'Next: bnpl-features promote {own.model if own else "behavioural"} --reason "..."')


def train_and_register(
    settings: Settings, as_of: date, days: int | None, segment: Segment | None = None
) -> tuple[TrainingSet, Evaluation, list[Version]]:
    """The models of one training set, or that of a segment, judged on its last purchases, registered as challengers."""
    from bnpl_features.risk_model.assembly import assemble
    from bnpl_features.risk_model.evaluation import evaluate as evaluate_models
    from bnpl_features.risk_model.registry import register
    from bnpl_features.risk_model.segment_training import segment_inputs, segment_part
    from bnpl_features.risk_model.training import train as train_model
    from bnpl_features.risk_model.training_set import read_training_set

    if segment and not segment.model:
        raise InputError(f"segment {segment.name} has no model of its own; name one in features/segment.py")
    chosen = settings.model
    with progress_bar("rows") as report:
        registry = model_registry(chosen)
        folder = assemble(
            open_warehouse(settings.warehouse),
            settings.source,
            training_spec(chosen, as_of, days),
            chosen.training_sets,
            labels={"asset": "training_set"},
            progress=report,
            feature_set=set_named(chosen.feature_set),
        )
    training = read_training_set(folder)
    if segment:
        training = read_training_set(segment_part(training, segment, chosen.training_sets))
        inputs = segment_inputs(segment, training)
        trained = [train_model(segment.model, training, inputs, threads=chosen.threads)]
    else:
        trained = [train_model(name, training, threads=chosen.threads) for name in _NAMES]
    evaluation = evaluate_models(
        trained,
        training,
        threshold=chosen.high_risk_threshold,
        resamples=chosen.resamples,
        threads=chosen.threads,
    )
    return training, evaluation, [register(registry, model, evaluation, actor=acting_user()) for model in trained]


@click.command()
@click.option("--version", "which", default="challenger", show_default=True, help="An alias or a number.")
@click.option("--segments", is_flag=True, help="Also by lifecycle stage and credit range.")
@click.option("--ablation", is_flag=True, help="Also what each feature group adds (trains ten models).")
@click.option("--resamples", type=click.IntRange(0), help="Resamples behind each interval (default: the setting).")
@_JSON
def evaluate(which: str, segments: bool, ablation: bool, resamples: int | None, as_json: bool) -> None:
    """Judge registered models, beside the rules, on the test purchases of the behavioural model's training set.

    Example: bnpl-features evaluate --segments
    """
    from bnpl_features.risk_model.ablation import ablate
    from bnpl_features.risk_model.evaluation import evaluate as evaluate_models
    from bnpl_features.risk_model.evaluation import score_rows
    from bnpl_features.risk_model.registry import load_model
    from bnpl_features.risk_model.segments import by_segment

    with named_exit(), progress_bar("groups") as report:
        chosen = load_settings().model
        registry = model_registry(chosen)
        found = [load_model(registry, name, which) for name in _NAMES]
        training = _training_set(chosen, found[-1].provenance)
        drawn = chosen.resamples if resamples is None else resamples
        judged = {"resamples": drawn, "threads": chosen.threads}
        evaluation = evaluate_models(found, training, threshold=chosen.high_risk_threshold, **judged)
        scores = {model.name: score_rows(model, training, training.test) for model in found}
        by = by_segment(scores, training, training.test, resamples=drawn) if segments else []
        groups = ablate(training, progress=report, **judged) if ablation else []
    if as_json:
        print_json(
            {
                "evaluation": evaluation.to_json(),
                "segments": [asdict(one) for one in by],
                "ablation": [asdict(one) for one in groups],
            }
        )
        return
    print_evaluation(evaluation)
    if segments:
        print_segments(by)
    if ablation:
        print_ablation(groups)


@click.command()
@click.argument("name", type=click.Choice(_ALL_NAMES))
@click.option("--version", "which", default="challenger", show_default=True, help="An alias or a number.")
@click.option("--reason", help="Why; it is kept with the figures.")
@click.option("--force", is_flag=True, help="Pass the gate by, as to go back to an older version.")
@click.option("--check", is_flag=True, help="Only say what the gate would; change and record nothing.")
@_JSON
def promote(name: str, which: str, reason: str | None, force: bool, check: bool, as_json: bool) -> None:
    """Make a version the champion, if it is not worse on the agreed metrics.

    Ends with 5 where it is refused; the figures say why, and the attempt is kept.

    Example: bnpl-features promote behavioural --reason "trained on October"
    """
    from bnpl_features.connect.promoting import promote_on_record
    from bnpl_features.risk_model.promotion import try_gate

    if not (reason or check):
        raise click.UsageError("say why with --reason; or only --check")
    with named_exit(), progress_bar("resamples") as report:
        settings = load_settings()
        chosen = settings.model
        registry = model_registry(chosen)
        training = training_set_behind(chosen, registry, name, which)
        measured: dict[str, Any] = {
            "which": which,
            "resamples": chosen.resamples,
            "threads": chosen.threads,
            "report": partial(report, "gate"),
        }
        if check:
            findings, objections = try_gate(registry, name, training, **measured)
            found = {"outcome": "refused" if objections else "passes", "findings": findings, "objections": objections}
            said = "the gate would refuse it" if objections else "the gate would let it pass"
        else:
            asked: dict[str, Any] = {"actor": acting_user(), "reason": reason or "", "force": force}
            target = partial(open_target, settings.store)
            attempt = promote_on_record(target, registry, name, training, **asked, **measured)
            findings, found = attempt.findings, asdict(attempt)
            before = f", {attempt.previous} was it before" if attempt.previous else ""
            said = f"version {attempt.version} of {name} is the champion ({attempt.outcome}){before}"
    if as_json:
        print_json(found | {"findings": [asdict(one) for one in findings]})
        return
    for finding in findings:
        console.print(str(finding), highlight=False)
    console.print(said)


def _training_set(settings: ModelSettings, provenance: Any) -> TrainingSet:
    from bnpl_features.risk_model.training_set import read_training_set

    return read_training_set(settings.training_sets / str(provenance.get("training_set", "")))
