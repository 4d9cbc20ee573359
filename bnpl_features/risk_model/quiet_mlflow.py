"""MLflow as a library inside a process that has other things to do."""

from __future__ import annotations

import logging
from typing import Any

_HTTP_RETRIES = 2
_HTTP_TIMEOUT_SECONDS = 20


def quiet_mlflow() -> Any:
    """MLflow, which is asked not to report its use, not to draw bars, and not to try for minutes."""
    import mlflow
    from mlflow.telemetry import set_telemetry_client

    variables: Any = mlflow.environment_variables
    variables.MLFLOW_DISABLE_TELEMETRY.set(True)
    set_telemetry_client()  # type: ignore[no-untyped-call]
    variables.MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set(False)
    if not variables.MLFLOW_HTTP_REQUEST_MAX_RETRIES.is_set():
        variables.MLFLOW_HTTP_REQUEST_MAX_RETRIES.set(_HTTP_RETRIES)
    if not variables.MLFLOW_HTTP_REQUEST_TIMEOUT.is_set():
        variables.MLFLOW_HTTP_REQUEST_TIMEOUT.set(_HTTP_TIMEOUT_SECONDS)
    for logger in ("mlflow", "alembic"):
        logging.getLogger(logger).setLevel(logging.ERROR)
    return mlflow
