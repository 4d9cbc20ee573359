"""Errors of Google's clients -> the errors of this project, each with the mend."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager

import requests
from google.api_core import exceptions as google
from google.auth.exceptions import GoogleAuthError

from bnpl_features.errors import BnplFeaturesError, QueryFailed, RelationMissing, WarehouseUnavailable

_UNAVAILABLE = (
    google.Unauthorized,
    google.TooManyRequests,
    google.BadGateway,
    google.ServiceUnavailable,
    google.GatewayTimeout,
)
_TRANSIENT_REASONS = frozenset(
    {
        "backendError",
        "internalError",
        "rateLimitExceeded",
        "badGateway",
        "jobBackendError",
        "jobInternalError",
        "jobRateLimitExceeded",
        "stopped",  # cancelled, or ended by its own timeout
        "timeout",
    }
)
_CONFLICT = "Could not serialize access"
"""Two statements changed the same partition at once, and this one lost: not a fault of the statement."""

_MENDS = {
    "accessDenied": "grant the account roles/bigquery.jobUser, roles/bigquery.readSessionUser and, on the dataset, "
    "roles/bigquery.dataEditor",
    "bytesBilledLimitExceeded": "raise BNPL_BIGQUERY_MAXIMUM_BYTES_BILLED, or partition the transactions table by day",
    "quotaExceeded": "wait for the quota to renew, or ask for a larger one",
}
_MEND = "correct the statement, or the columns that it reads"

_REACH = (
    "check the network, `gcloud auth application-default login` and, for an emulator, BNPL_BIGQUERY_API_ENDPOINT; "
    "running again is safe"
)


@contextmanager
def named_errors(warehouse: str) -> Iterator[None]:
    """Raise what Google's clients raise as one of the project's own errors."""
    try:
        yield
    except google.GoogleAPICallError as error:
        raise _named_answer(error, warehouse) from error
    except (google.RetryError, FutureTimeoutError) as error:
        cause = getattr(error, "cause", None) or "no answer in time"
        raise WarehouseUnavailable(f"{warehouse} did not answer in time ({cause}); {_REACH}") from error
    except (GoogleAuthError, requests.RequestException, ConnectionError) as error:
        raise WarehouseUnavailable(f"{warehouse} cannot be reached ({error}); {_REACH}") from error


def _named_answer(error: google.GoogleAPICallError, warehouse: str) -> BnplFeaturesError:
    reason = _detail(error, "reason")
    message = _detail(error, "message") or str(error.message)
    job = getattr(error, "query_job", None)
    where = f"{warehouse}, job {job.job_id}" if job is not None else warehouse
    if isinstance(error, google.NotFound):
        return RelationMissing(
            f"{message} ({where}); load purchases, materialise the tables before this one, or correct "
            "BNPL_BIGQUERY_DATASET and the name of the transactions table"
        )
    # A job's error without a status of its own, such as bytesBilledLimitExceeded, comes as a 500 with that reason.
    failed_within = isinstance(error, google.ServerError) and not reason
    if failed_within or isinstance(error, _UNAVAILABLE) or reason in _TRANSIENT_REASONS or _CONFLICT in message:
        return WarehouseUnavailable(f"{where} is not available: {message}; {_REACH}")
    if isinstance(error, google.Forbidden) and not reason:
        reason = "accessDenied"
    return QueryFailed(f"{where} refused a statement: {message}; {_MENDS.get(reason, _MEND)}")


def _detail(error: google.GoogleAPICallError, key: str) -> str:
    """A detail of the first error of a REST answer; empty for gRPC, which has none."""
    first = error.errors[0] if error.errors else None
    return str(first.get(key, "")) if isinstance(first, dict) else ""
