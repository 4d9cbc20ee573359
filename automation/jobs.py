"""The daily run and the backfill."""

import warnings

import dagster as dg

from assets.feature_groups import group_assets
from assets.feature_vectors import feature_vectors
from assets.predictions import EXPERIMENTS_GROUP
from assets.publication import daily_publications, publication_assets
from assets.training import TRAINING_GROUP

DAILY_JOB = "daily_features"
CHECKED_JOB = "checked_features"
BACKFILL_JOB = "backfill_features"
PUBLISH_JOB = "publish_sets"
TRAINING_JOB = "train_models"
EXPERIMENTS_JOB = "review_experiments"

# A job over groups (any range a run) and the publication (one partition a run) takes one partition a run, as is meant.
warnings.filterwarnings("ignore", message=r"Asset job \w+ materializes assets with varying BackfillPolicies")

# A step costs about 16 ms in process and up to a second in one of its own; the work is the warehouse's, not Python's.
_EXECUTOR = dg.in_process_executor

_CHECKED = (
    dg.AssetSelection.all(include_sources=True)
    - dg.AssetSelection.groups(TRAINING_GROUP, EXPERIMENTS_GROUP)
    - dg.AssetSelection.assets(*publication_assets)
)

daily_features = dg.define_asset_job(
    DAILY_JOB,
    selection=_CHECKED | dg.AssetSelection.assets(*daily_publications),
    executor_def=_EXECUTOR,
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
    selection=dg.AssetSelection.assets(*group_assets, feature_vectors).without_checks(),
    executor_def=_EXECUTOR,
    description="A range of days computed in one run: no checks, no publication (both belong to one day each).",
)

publish_sets = dg.define_asset_job(
    PUBLISH_JOB,
    selection=dg.AssetSelection.assets(*publication_assets),
    executor_def=_EXECUTOR,
    description="A day that is computed and checked, published: every set, or those that are selected.",
)

train_models = dg.define_asset_job(
    TRAINING_JOB,
    selection=dg.AssetSelection.groups(TRAINING_GROUP),
    executor_def=_EXECUTOR,
    description="Both risk models: training set, training, evaluation, registration as challengers. No promotion.",
)

review_experiments = dg.define_asset_job(
    EXPERIMENTS_JOB,
    selection=dg.AssetSelection.groups(EXPERIMENTS_GROUP),
    executor_def=_EXECUTOR,
    description="A day's predictions into the warehouse, then the running experiment's report and guardrails.",
)

jobs = [daily_features, checked_features, backfill_features, publish_sets, train_models, review_experiments]
