"""The risk models: training set, training, evaluation, registration. What is handed on are fingerprints, not rows.

Training sets, models and evaluations are files under the setting `model.folder`, each named by its fingerprint; a step
hands on the name. Promotion is not a part of this: it is an operator's act (`bnpl-features promote`).
"""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg

from assets.failures import library_errors
from assets.feature_groups import WAREHOUSE_POOL
from assets.feature_vectors import VECTORS
from assets.metadata import fingerprint
from assets.transactions import TRANSACTIONS
from bnpl_features.connect.models import model_registry, training_spec
from bnpl_features.features.catalog import BEHAVIOURAL, set_named
from bnpl_features.risk_model.assembly import assemble
from bnpl_features.risk_model.evaluation import Evaluation, evaluate, score_rows
from bnpl_features.risk_model.metrics import METRICS
from bnpl_features.risk_model.model_files import read_model, write_model
from bnpl_features.risk_model.plots import evaluation_png, markdown_image
from bnpl_features.risk_model.purchase_inputs import PURCHASE_INPUTS
from bnpl_features.risk_model.registry import register
from bnpl_features.risk_model.rules import RULES, rules_score
from bnpl_features.risk_model.training import MODEL_NAMES, PARAMETERS, inputs_of, risk_directions, train
from bnpl_features.risk_model.training_query import TrainingSpec, rows_query
from bnpl_features.risk_model.training_set import read_training_set
from bnpl_features.settings import ModelSettings
from resources.settings import SettingsResource
from resources.warehouse import WarehouseResource

TRAINING_GROUP = "training"
TRAINING_POOL = "training"
OWNERS = ["team:risk-features"]
_ANY_SPEC = TrainingSpec(date(2024, 6, 1))


class TrainingConfig(dg.Config):
    """Which purchases train: `as_of` is the last day whose outcomes count (empty: yesterday, UTC), `days` how many days
    of purchases (0: the setting `model.training_days`)."""

    as_of: str = ""
    days: int = 0


@dg.asset(
    description="Purchases with features of the day before, as the online store would have served them, and outcomes.",
    deps=[TRANSACTIONS, VECTORS],
    group_name=TRAINING_GROUP,
    owners=OWNERS,
    kinds={"bigquery", "sql"},
    code_version=fingerprint(rows_query("transactions", BEHAVIOURAL, _ANY_SPEC, 1.0).sql),
    pool=WAREHOUSE_POOL,
)
def training_set(
    context: dg.AssetExecutionContext, config: TrainingConfig, warehouse: WarehouseResource, settings: SettingsResource
) -> dg.Output[str]:
    loaded = settings.load()
    as_of = date.fromisoformat(config.as_of) if config.as_of else datetime.now(UTC).date() - timedelta(days=1)
    with library_errors(), warehouse.open() as engine:
        chosen = set_named(loaded.model.feature_set)
        spec = training_spec(loaded.model, as_of, config.days or None)
        asked_by = {"asset": "training_set", "run": context.run.run_id}
        made = assemble(engine, loaded.source, spec, loaded.model.training_sets, feature_set=chosen, labels=asked_by)
        training = read_training_set(made)
    parts = {"train": training.train, "validation": training.validation, "test": training.test}
    return dg.Output(
        training.fingerprint,
        metadata={
            "dagster/row_count": training.rows,
            "defaults": int(training.defaulted.sum()),
            "unknown_customers": int((~training.known).sum()),
            "feature_set": chosen.name,
            "spec": spec.to_json(),
            "folder": dg.MetadataValue.path(str(made)),
            "counts": dict(training.counts),
            **{f"{name}_days": " to ".join(training.days_of(rows)) for name, rows in parts.items()},
        },
    )


def model_asset(name: str) -> dg.AssetsDefinition:
    @dg.asset(
        name=f"{name}_model",
        description=f"The calibrated {name} model, trained on the set's first purchases.",
        group_name=TRAINING_GROUP,
        owners=OWNERS,
        kinds={"lightgbm"},
        code_version=fingerprint(json.dumps([dict(PARAMETERS), [one.to_json() for one in PURCHASE_INPUTS]])),
        pool=TRAINING_POOL,
    )
    def compute(settings: SettingsResource, training_set: str) -> dg.Output[str]:
        chosen = settings.load().model
        with library_errors():
            training = read_training_set(chosen.training_sets / training_set)
            model = train(name, training, threads=chosen.threads)
        write_model(model, _trained(chosen, model.fingerprint))
        gains = model.booster.feature_importance("gain")
        ranked = sorted(zip(model.inputs.names, gains, strict=True), key=lambda one: -one[1])[:15]
        table = "| input | gain |\n|---|---|\n" + "\n".join(f"| {name} | {gain:,.0f} |" for name, gain in ranked)
        held = [n for n, way in zip(model.inputs.names, risk_directions(inputs_of(name, training)), strict=True) if way]
        return dg.Output(
            model.fingerprint,
            metadata={
                "inputs": len(model.inputs.names),
                "monotone_inputs": held,
                "trees": model.booster.num_trees(),
                "calibration_slope": model.calibration.slope,
                "calibration_intercept": model.calibration.intercept,
                "most_important": dg.MetadataValue.md(table),
                "folder": dg.MetadataValue.path(str(_trained(chosen, model.fingerprint))),
            },
        )

    return compute


model_assets = [model_asset(name) for name in MODEL_NAMES]


@dg.asset(
    description="The models beside the rules, on purchases after those that trained them; with intervals and charts.",
    group_name=TRAINING_GROUP,
    owners=OWNERS,
    kinds={"python"},
    code_version=fingerprint(" ".join(METRICS)),
    pool=TRAINING_POOL,
)
def model_evaluation(
    settings: SettingsResource,
    training_set: str,
    transaction_only_model: str,
    behavioural_model: str,
    velocity_model: str,
) -> dg.Output[str]:
    chosen = settings.load().model
    with library_errors():
        training = read_training_set(chosen.training_sets / training_set)
        models = [
            read_model(_trained(chosen, one)) for one in (transaction_only_model, behavioural_model, velocity_model)
        ]
        evaluation = evaluate(
            models,
            training,
            threshold=chosen.high_risk_threshold,
            resamples=chosen.resamples,
            threads=chosen.threads,
        )
    rows = training.test
    scores = {RULES: rules_score(training, rows)} | {one.name: score_rows(one, training, rows) for one in models}
    key = fingerprint(training_set + transaction_only_model + behavioural_model + velocity_model)
    file = _evaluation(chosen, key)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(evaluation.to_json()))
    chart = markdown_image(evaluation_png(scores, training.defaulted[rows]), "evaluation")
    return dg.Output(
        key,
        metadata={
            "purchases": evaluation.purchases,
            "defaults": evaluation.defaults,
            "figures": dg.MetadataValue.md(_table(evaluation)),
            "charts": dg.MetadataValue.md(chart),
            **{f"behavioural_{name}": one.value for name, one in evaluation.figures["behavioural"].items()},
        },
    )


@dg.asset(
    description="The models in the registry, as challengers of whatever is the champion.",
    group_name=TRAINING_GROUP,
    owners=OWNERS,
    kinds={"mlflow"},
    code_version="1",
    pool=TRAINING_POOL,
)
def registered_models(
    context: dg.AssetExecutionContext,
    settings: SettingsResource,
    transaction_only_model: str,
    behavioural_model: str,
    velocity_model: str,
    model_evaluation: str,
) -> dg.Output[dict]:
    """Hands on the number of each model's new version."""
    chosen = settings.load().model
    evaluation = Evaluation.from_json(json.loads(_evaluation(chosen, model_evaluation).read_text()))
    with library_errors():
        registry = model_registry(chosen)
        models = [
            read_model(_trained(chosen, one)) for one in (transaction_only_model, behavioural_model, velocity_model)
        ]
        actor = context.run.tags.get("user", "operator")
        found = [register(registry, model, evaluation, actor=actor) for model in models]
    numbers = {one.name: one.number for one in found}
    shown = {f"{name}_version": number for name, number in numbers.items()}
    return dg.Output(numbers, metadata=shown | {"aliases": list(found[0].aliases)})


training_assets = [training_set, *model_assets, model_evaluation, registered_models]


def _trained(settings: ModelSettings, fingerprint: str) -> Path:
    return settings.folder / "trained" / fingerprint


def _evaluation(settings: ModelSettings, key: str) -> Path:
    return settings.folder / "evaluations" / f"{key}.json"


def _table(evaluation: Evaluation) -> str:
    metrics = dict.fromkeys(metric for figures in evaluation.figures.values() for metric in figures)
    head = "| metric | " + " | ".join(evaluation.figures) + " |\n|---|" + "---|" * len(evaluation.figures)
    lines = [
        f"| {metric} | " + " | ".join(str(figures.get(metric, "")) for figures in evaluation.figures.values()) + " |"
        for metric in metrics
    ]
    return "\n".join([head, *lines])
