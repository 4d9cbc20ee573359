"""A run whose steps are processes of their own: each reloads the code location, so the job is told by where it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.execution.api import execute_run
from dagster._core.storage.tags import PARTITION_NAME_TAG

from automation.executor import configured_executor
from bnpl_features.sections import IN_PROCESS
from bnpl_features.settings import load_settings

_FOLDER = Path(__file__).resolve().parents[1]


def has_processes_of_its_own(job: dg.JobDefinition) -> bool:
    """Whether the settings let the job's steps run anywhere but in the process of the run."""
    return job.executor_def is configured_executor and load_settings().pipeline.executor != IN_PROCESS


def run_in_processes(
    instance: dg.DagsterInstance,
    job: dg.JobDefinition,
    day: str,
    tags: Mapping[str, str],
    run_id: str,
    run_config: Mapping[str, Any],
) -> dg.JobExecutionResult:
    """One partition of a job by the configured executor, whatever part of the job is given; waits until it ended."""
    repository = ReconstructableRepository.for_module("definitions", "defs", working_directory=str(_FOLDER))
    found = repository.get_reconstructable_job(job.name)
    selection = job.asset_selection  # with the checks of these assets, as those of an operator's
    if selection:
        found = found.get_subset(asset_selection=selection)
    run = instance.create_run_for_job(
        job_def=found.get_definition(),
        run_id=run_id,
        run_config=run_config,
        tags={**tags, PARTITION_NAME_TAG: day},
        job_code_origin=found.get_python_origin(),
        asset_selection=selection,
    )
    return execute_run(found, run, instance, raise_on_error=False)
