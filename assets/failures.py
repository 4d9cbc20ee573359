"""The library's errors as Dagster failures: a fault that may pass is retried, anything else is not."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from bnpl_features.errors import BnplFeaturesError, StoreUnavailable, WarehouseUnavailable

TRANSIENT = (WarehouseUnavailable, StoreUnavailable)
MAX_RETRIES = 2
RETRY_AFTER_SECONDS = 10.0


@contextmanager
def library_errors() -> Iterator[None]:
    """Inside a step: the message of the error becomes the description of the failure."""
    try:
        yield
    except TRANSIENT as error:
        raise dg.RetryRequested(max_retries=MAX_RETRIES, seconds_to_wait=RETRY_AFTER_SECONDS) from error
    except BnplFeaturesError as error:
        raise dg.Failure(
            description=str(error), metadata={"error": type(error).__name__}, allow_retries=False
        ) from error
