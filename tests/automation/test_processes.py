"""Bucket ranges as processes of their own, by the executor that the settings name."""

from __future__ import annotations

import pytest

from automation.executor import definition_of
from bnpl_features.errors import SettingsError
from bnpl_features.sections import PipelineSettings
from tests.code_location import DAY
from tests.distributed import WORKERS, Distributed, distributed, succeeds

__all__ = ["distributed"]


def test_ranges_of_one_publication_run_in_processes_of_their_own(distributed: Distributed) -> None:
    succeeds(distributed.publish())

    served = distributed.location.served()
    assert served is not None
    assert served.partition_date == DAY
    assert served.customers == len(distributed.location.customers())
    assert len({*distributed.placing().values()}) == WORKERS


def test_an_executor_whose_package_is_missing_is_refused_with_the_mend() -> None:
    with pytest.raises(SettingsError, match="dagster-celery is not installed here"):
        definition_of(PipelineSettings("celery"))


def test_kubernetes_is_dagsters_own_executor() -> None:
    from dagster_k8s import k8s_job_executor

    assert definition_of(PipelineSettings("kubernetes")) is k8s_job_executor
