"""Which of Dagster's executors runs the steps of the jobs that publish: read from the settings when a run begins.

Only the executor that is chosen is imported, so that nobody needs Kubernetes or Celery who does not use them.
"""

import json
from importlib import import_module
from typing import Any

import dagster as dg
from dagster._config import process_config
from dagster._core.definitions.executor_definition import check_cross_process_constraints

from bnpl_features.errors import SettingsError
from bnpl_features.sections import IN_PROCESS, PipelineSettings
from bnpl_features.settings import load_settings

_EXECUTORS = {
    IN_PROCESS: ("dagster", "in_process_executor"),
    "multiprocess": ("dagster", "multiprocess_executor"),
    "kubernetes": ("dagster_k8s", "k8s_job_executor"),
    "celery": ("dagster_celery", "celery_executor"),
    "celery_kubernetes": ("dagster_celery_k8s", "celery_k8s_job_executor"),
}
"""Setting -> the module, and the definition in it. Steps other than `in_process` ones reload this code location."""

_DEFAULTS: dict[str, dict[str, Any]] = {"multiprocess": {"start_method": {"forkserver": {}}}}
"""A server that has loaded the code location forks a process a step: loading it anew takes each some seconds."""


@dg.executor(name="configured", config_schema=dg.Permissive())
def configured_executor(init_context: dg.InitExecutorContext) -> dg.Executor:
    """What `pipeline.executor` names, with `pipeline.executor_config`; the run's own configuration goes before."""
    chosen = load_settings().pipeline
    definition = definition_of(chosen)
    own = {key: value for key, value in init_context.executor_config.items() if value is not None}
    config = process_config(
        definition.config_schema.config_type, _DEFAULTS.get(chosen.executor, {}) | _config_of(chosen) | own
    )
    if config.value is None:
        told = "; ".join(error.message for error in config.errors or ())
        raise SettingsError(f"pipeline.executor_config does not fit the executor {chosen.executor!r}: {told}")
    inner = dg.InitExecutorContext(
        job=init_context.job,
        executor_def=definition,
        executor_config=config.value,
        instance=init_context.instance,
    )
    check_cross_process_constraints(inner)
    create = definition.executor_creation_fn
    assert create is not None
    return create(inner)


def definition_of(chosen: PipelineSettings) -> dg.ExecutorDefinition:
    """Raises `SettingsError` where the executor's package is not installed."""
    module, name = _EXECUTORS[chosen.executor]
    try:
        found = getattr(import_module(module), name)
    except ImportError as error:
        package = module.replace("_", "-")
        raise SettingsError(
            f"pipeline.executor is {chosen.executor!r}, but {package} is not installed here; install it beside Dagster "
            "in the image of the code location, or choose another executor"
        ) from error
    assert isinstance(found, dg.ExecutorDefinition)
    return found


def _config_of(chosen: PipelineSettings) -> dict[str, Any]:
    try:
        config = json.loads(chosen.executor_config or "{}")
    except ValueError as error:
        raise SettingsError(f"pipeline.executor_config is not JSON: {error}") from error
    if not isinstance(config, dict):
        raise SettingsError('pipeline.executor_config must be a JSON object, such as {"max_concurrent": 4}')
    return config
