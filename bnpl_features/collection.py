"""What can be told of this installation at the moment: store, drift, and which of the parts did not answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from bnpl_features.connect.data import open_target, open_warehouse
from bnpl_features.connect.models import drift_rules
from bnpl_features.drift.subjects import GROUP_SUBJECTS
from bnpl_features.errors import BnplFeaturesError
from bnpl_features.monitoring.drift import drift_families
from bnpl_features.monitoring.store import store_families
from bnpl_features.sections import Settings
from bnpl_features.telemetry import catalogue
from bnpl_features.telemetry.metric import Family, by_label, valued

Complaint = Callable[[str, BnplFeaturesError], None]


def collect(settings: Settings, complain: Complaint = lambda part, error: None) -> Iterator[Family]:
    """A part that fails is told as `bnpl_collected` 0, and `complain` hears why; the others are told all the same."""
    collected: dict[tuple[object, ...], float] = {}
    for part, families in (("store", _store), ("warehouse", _warehouse)):
        try:
            yield from list(families(settings))
        except BnplFeaturesError as error:
            complain(part, error)
            collected[part,] = 0.0
        else:
            collected[part,] = 1.0
    yield by_label(catalogue.COLLECTED, collected)
    yield valued(catalogue.COLLECTED_AT, time.time())


def _store(settings: Settings) -> Iterator[Family]:
    with open_target(settings.store) as target:
        yield from store_families(target)


def _warehouse(settings: Settings) -> Iterator[Family]:
    return drift_families(open_warehouse(settings.warehouse), GROUP_SUBJECTS, drift_rules(settings))
