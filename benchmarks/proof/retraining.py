"""A retraining, a process of its own: python -m benchmarks.proof.retraining TRAINING_SET MODELS_FOLDER VERSION.

Trains both daily models with as many threads as `BNPL_MODEL_THREADS` says, then makes them the champions. Prints
between which moments of the monotonic clock that was.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.model import DAILY_MODELS
from bnpl_features.risk_model.training import train
from bnpl_features.risk_model.training_set import read_training_set
from bnpl_features.scoring.served import activate, put
from bnpl_features.settings import load_settings


def retrain(training_set: Path, models_folder: Path, version: int) -> tuple[float, float]:
    """The moments before and after the models of this version became champions."""
    training = read_training_set(training_set)
    threads = load_settings().model.threads
    models = [replace(train(name, training, threads=threads), version=version) for name in DAILY_MODELS]
    for model in models:
        put(models_folder, model)
    before = time.monotonic()
    activate(models_folder, models)
    return before, time.monotonic()


if __name__ == "__main__":
    print(json.dumps(retrain(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))))
