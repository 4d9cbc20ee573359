"""Run by an earlier MLflow, in an environment that has nothing of this project: a model registered as the champion.

`earlier_mlflow.py URL FILES ARTIFACTS MODEL TAGS`, with what `registry.register` puts into a version; or
`earlier_mlflow.py URL` alone, which only opens the registry.
"""

import json
import sys

from mlflow import MlflowClient


def register(client, files, artifacts, model, tags):
    run = client.create_run(client.create_experiment("bnpl_training", artifact_location=artifacts)).info.run_id
    client.log_artifacts(run, files, "model")
    client.set_terminated(run)
    client.create_registered_model(model)
    source = client.get_run(run).info.artifact_uri + "/model"
    made = client.create_model_version(model, source, run, tags=json.loads(tags))
    client.set_registered_model_alias(model, "champion", made.version)


if __name__ == "__main__":
    url, *rest = sys.argv[1:]
    client = MlflowClient(tracking_uri=url, registry_uri=url)
    if rest:
        register(client, *rest)
    else:
        print(len(client.search_registered_models()))
