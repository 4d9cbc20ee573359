"""Run by an earlier Dagster, in an environment that has nothing of this project: a day computed and checked.

`earlier_dagster.py HOME DAY`
"""

import sys

import dagster as dg


@dg.asset(partitions_def=dg.DailyPartitionsDefinition(start_date="2024-01-01"))
def feature_volume():
    return dg.MaterializeResult(metadata={"rows": 7})


@dg.asset_check(asset=feature_volume)
def schema():
    return dg.AssetCheckResult(passed=True)


if __name__ == "__main__":
    home, day = sys.argv[1:]
    everything = dg.define_asset_job("everything", selection="*")
    definitions = dg.Definitions(assets=[feature_volume], asset_checks=[schema], jobs=[everything])
    with dg.DagsterInstance.from_config(home) as instance:
        job = definitions.get_job_def("everything")
        assert job.execute_in_process(instance=instance, partition_key=day).success
