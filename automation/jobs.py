"""The daily run and the backfill."""

import warnings

import dagster as dg

from assets.drift_reference import drift_reference
from assets.feature_groups import group_assets
from assets.feature_vectors import feature_vectors
from assets.predictions import EXPERIMENTS_GROUP
from assets.profiles import transactions_profile
from assets.publication import daily_publications, publication_assets
from assets.retraining import RETRAINING_GROUP, retraining_assets
from assets.streaming import STREAMING_GROUP, VELOCITY_STREAM, velocity_comparison
from assets.training import TRAINING_GROUP
from automation.executor import configured_executor
from automation.hooks import tell_failure

DAILY_JOB = "daily_features"
CHECKED_JOB = "checked_features"
BACKFILL_JOB = "backfill_features"
PUBLISH_JOB = "publish_sets"
TRAINING_JOB = "train_models"
RETRAINING_JOB = "retrain"
ADOPTION_JOB = "adopt_champion"
EXPERIMENTS_JOB = "review_experiments"
COMPARISON_JOB = "compare_velocity"
WATCH_JOB = "watch_stream"

EXCLUSIVE_TAG = "bnpl/exclusive"
"""The run queue admits one run a value (`dagster.yaml`): whoever starts them, two trainings never run at once."""

# A job over groups (any range a run) and the publication (one partition a run) takes one partition a run, as is meant.
warnings.filterwarnings("ignore", message=r"Asset job \w+ materializes assets with varying BackfillPolicies")

# A step costs about 16 ms in process and up to a second in one of its own; the work is the warehouse's, not Python's.
_EXECUTOR = dg.in_process_executor

# Bucket ranges of a publication may be worth processes of their own, on other machines: the settings say.
_PUBLISHING = configured_executor

_CHECKED = (
    dg.AssetSelection.all(include_sources=True)
    - dg.AssetSelection.groups(
        TRAINING_GROUP, RETRAINING_GROUP, EXPERIMENTS_GROUP, STREAMING_GROUP, include_sources=True
    )
    - dg.AssetSelection.assets(*publication_assets)
)

daily_features = dg.define_asset_job(
    DAILY_JOB,
    selection=_CHECKED | dg.AssetSelection.assets(*daily_publications),
    executor_def=_PUBLISHING,
    hooks={tell_failure},
    description="One day from purchases to served features: compute, check, publish.",
)

checked_features = dg.define_asset_job(
    CHECKED_JOB,
    selection=_CHECKED,
    executor_def=_EXECUTOR,
    description="One day computed and checked, but not published.",
)

backfill_features = dg.define_asset_job(
    BACKFILL_JOB,
    selection=dg.AssetSelection.assets(transactions_profile, *group_assets, feature_vectors).without_checks(),
    executor_def=_EXECUTOR,
    description="A range of days computed in one run: no checks, no publication (both belong to one day each).",
)

publish_sets = dg.define_asset_job(
    PUBLISH_JOB,
    selection=dg.AssetSelection.assets(*publication_assets),
    executor_def=_PUBLISHING,
    description="A day that is computed and checked, published: every set, or those that are selected.",
)

train_models = dg.define_asset_job(
    TRAINING_JOB,
    selection=dg.AssetSelection.groups(TRAINING_GROUP),
    executor_def=_EXECUTOR,
    tags={EXCLUSIVE_TAG: TRAINING_JOB},
    description="The risk models: training set, training, evaluation, registration as challengers. No promotion.",
)

retrain = dg.define_asset_job(
    RETRAINING_JOB,
    selection=dg.AssetSelection.groups(TRAINING_GROUP) | dg.AssetSelection.assets(*retraining_assets),
    executor_def=_EXECUTOR,
    tags={EXCLUSIVE_TAG: TRAINING_JOB},
    description="The risk models trained anew, compared with the champions, and on trial or promoted as configured.",
)

adopt_champion = dg.define_asset_job(
    ADOPTION_JOB,
    selection=dg.AssetSelection.assets(drift_reference),
    executor_def=_EXECUTOR,
    description="What the champion was trained on becomes the reference of the drift checks.",
)

review_experiments = dg.define_asset_job(
    EXPERIMENTS_JOB,
    selection=dg.AssetSelection.groups(EXPERIMENTS_GROUP),
    executor_def=_EXECUTOR,
    description=(
        "A day's predictions into the warehouse, the models' matured performance, the running experiment's report and "
        "guardrails."
    ),
)

compare_velocity = dg.define_asset_job(
    COMPARISON_JOB,
    selection=dg.AssetSelection.assets(velocity_comparison),
    executor_def=_EXECUTOR,
    description="Yesterday as streamed beside the warehouse, customer by customer.",
)

watch_stream = dg.define_asset_job(
    WATCH_JOB,
    selection=dg.AssetSelection.assets(VELOCITY_STREAM),
    executor_def=_EXECUTOR,
    description="Observes how far behind the stream's workers are.",
)

jobs = [
    daily_features,
    checked_features,
    backfill_features,
    publish_sets,
    train_models,
    retrain,
    adopt_champion,
    review_experiments,
    compare_velocity,
    watch_stream,
]
