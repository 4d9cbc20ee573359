"""The whole code location on one screen."""

import dagster as dg

from assets.drift_reference import drift_reference
from assets.drift_report import drift_report
from assets.experiments import experiment_assets
from assets.feature_groups import group_assets
from assets.feature_vectors import feature_vectors
from assets.performance import model_performance
from assets.profiles import transactions_profile
from assets.publication import publication_assets
from assets.retraining import retraining_assets
from assets.streaming import streaming_assets
from assets.training import training_assets
from assets.transactions import transactions
from automation.jobs import jobs
from automation.schedules import schedules
from automation.sensors import sensors
from checks.completeness import completeness_checks
from checks.consistency import consistency_checks
from checks.declarations import declarations_check
from checks.drift import drift_checks
from checks.readers import reader_checks
from checks.schema import schema_checks
from checks.transactions import transactions_checks
from resources.gate import gate_of
from resources.settings import SettingsResource
from resources.store import StoreResource
from resources.warehouse import WarehouseResource

settings = SettingsResource.configure_at_launch()
asset_checks = [
    *transactions_checks,
    *schema_checks,
    *completeness_checks,
    *drift_checks,
    declarations_check,
    *consistency_checks,
    *reader_checks,
]

defs = dg.Definitions(
    assets=[
        transactions,
        transactions_profile,
        *group_assets,
        feature_vectors,
        drift_report,
        *publication_assets,
        *training_assets,
        *retraining_assets,
        drift_reference,
        *experiment_assets,
        model_performance,
        *streaming_assets,
    ],
    asset_checks=asset_checks,
    jobs=jobs,
    schedules=schedules,
    sensors=sensors,
    resources={
        "settings": settings,
        "warehouse": WarehouseResource(settings=settings),
        "store": StoreResource(settings=settings),
        "gate": gate_of(asset_checks),
    },
)
