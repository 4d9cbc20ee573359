"""Settings -> the prediction service and its experiments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bnpl_features.connect.data import store_url
from bnpl_features.connect.extras import extra
from bnpl_features.features.segment import SEGMENTS
from bnpl_features.settings import ScoringSettings, StoreSettings
from bnpl_features.store.keyspace import Keyspace
from bnpl_features.telemetry.tracing import UNTRACED, Tracer

if TYPE_CHECKING:
    from bnpl_features.scoring.experiments.guardrails import Guardrails
    from bnpl_features.scoring.experiments.shelf import Shelf
    from bnpl_features.scoring.server import Serving


def serving_of(settings: ScoringSettings, store: StoreSettings, url: str, tracer: Tracer = UNTRACED) -> Serving:
    """How the prediction service is configured, with the store at `url`."""
    with extra("scoring"):
        from bnpl_features.scoring.core import Rules, SegmentRules
        from bnpl_features.scoring.decision import Bands
        from bnpl_features.scoring.encryption import encryption_of
        from bnpl_features.scoring.fallback import Policy
        from bnpl_features.scoring.http import Limits
        from bnpl_features.scoring.server import Serving

    segments = {
        one.name: SegmentRules(one.model or None, Bands(*one.bands) if one.bands else None)
        for one in SEGMENTS
        if one.model or one.bands
    }
    actions = {
        "unknown_customer": settings.on_unknown_customer,
        "stale": settings.on_stale,
        "unavailable": settings.on_unavailable,
    }
    return Serving(
        host=settings.host,
        port=settings.port,
        store_url=url,
        reader={
            "namespace": store.namespace,
            "customer_key": store.customer_key,
            "previous_customer_keys": store.previous_customer_keys.split(),
            "budget_seconds": settings.budget_seconds,
            "must_answer": False,
            "velocity": True,
        },
        customer_key=store.customer_key,
        models_folder=settings.models_folder,
        predictions_folder=settings.predictions_folder,
        keys_file=Path(settings.keys_file) if settings.keys_file else None,
        encryption=encryption_of(settings.certificate_file, settings.key_file, settings.client_ca_file),
        rules=Rules(Bands(settings.review_from, settings.decline_from), Policy.of(actions), segments),
        limits=Limits(settings.most_body_bytes, settings.most_in_batch, settings.most_in_flight),
        look_seconds=settings.look_seconds,
        request_seconds=settings.request_seconds,
        drain_seconds=settings.drain_seconds,
        most_queued=settings.most_queued_predictions,
        tracer=tracer,
    )


def guardrails_of(settings: ScoringSettings) -> Guardrails:
    with extra("scoring"):
        from bnpl_features.scoring.experiments.guardrails import Guardrails

    return Guardrails(settings.guardrail_defaults, -settings.guardrail_approvals)


@contextmanager
def open_shelf(settings: ScoringSettings, store: StoreSettings) -> Iterator[Shelf]:
    """Where experiments are defined: the configured file, or the online store."""
    with extra("scoring"):
        from bnpl_features.scoring.experiments.shelf import FileShelf, lazy_store_shelf

    if settings.experiments_file:
        yield FileShelf(Path(settings.experiments_file))
        return
    with store_url(store) as url:
        yield lazy_store_shelf(url, Keyspace(store.namespace))
