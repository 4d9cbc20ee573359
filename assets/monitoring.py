"""What runs tell Prometheus of; a metric that is not told fails no run."""

import logging
from collections.abc import Iterable

from bnpl_features.collection import collect
from bnpl_features.connect.telling import destinations_of
from bnpl_features.errors import BnplFeaturesError, MetricsNotTold
from bnpl_features.monitoring.runs import run_families
from bnpl_features.monitoring.telling import tell
from bnpl_features.settings import Settings
from bnpl_features.telemetry.metric import Family

CURRENT = "current"


def tell_subject(settings: Settings, log: logging.Logger, subject: str, families: Iterable[Family]) -> None:
    try:
        tell(destinations_of(settings.monitoring), subject, families)
    except MetricsNotTold as error:
        log.warning("%s", error)


def tell_end_of_run(settings: Settings, log: logging.Logger, job: str, *, failed: bool) -> None:
    """How the run of a job ended, and the state in which it leaves store and warehouse."""
    if not destinations_of(settings.monitoring).is_anywhere:
        return

    def complain(part: str, error: BnplFeaturesError) -> None:
        log.warning("what is told of the %s is incomplete: %s", part, error)

    tell_subject(settings, log, f"run_{job}", run_families(job, failed=failed))
    tell_subject(settings, log, CURRENT, collect(settings, complain))
