"""The run: a cluster, the service, a steady load, and on a timetable what happens in production."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from benchmarks.fleet import Fleet, Member, cluster, wait_for
from benchmarks.model import DAILY_MODELS
from benchmarks.proof.answers import Rows
from benchmarks.proof.cpu import Accounts
from benchmarks.proof.events import Activation, Course, Event
from benchmarks.proof.generating import ROWS_FILE, WHOLE_FILE
from benchmarks.proof.known import Known, read_whole, training_on, write_vectors
from benchmarks.proof.publishing import NAMESPACE, publish, target_at
from benchmarks.scoring import NOT_APPROVED_SHARE, service
from benchmarks.store import YESTERDAY
from bnpl_features.risk_model.training import train
from bnpl_features.risk_model.training_set import ARRAYS, write_training_set
from bnpl_features.scoring.decision import Bands
from bnpl_features.scoring.served import activate, put
from bnpl_features.store.reading.routes import slot_of
from bnpl_features.store.switching import roll_back

PUBLICATIONS = (0.1, 0.7)
RETRAINING, DEATH, RETURN, ROLLBACK = 0.25, 0.5, 0.6, 0.9
"""When each begins, as a share of the run; what is late makes the next ones late."""

CLUSTER = ("--cluster-require-full-coverage", "no")
"""As operations asks for."""

BATCH_NICENESS = 10
"""Of publication and training, which share the machine with the service here."""

TRAINING_ROWS_A_SECOND, FEWEST_TRAINING_ROWS, MOST_TRAINING_ROWS = 1_000, 6_000, 300_000
"""Purchases that are trained on, for each second of the run."""

TRAINING_SEEDS = (101, 102)
"""Of the customers that models are trained on; those that are published have others."""

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Plan:
    customers: int
    seconds: float
    a_second: int
    workers: int
    primaries: int = 3


@dataclass(frozen=True)
class Run:
    """All that is known after it; `started` is when the first request was due."""

    plan: Plan
    rows: Rows
    whole: dict[int, bytes]
    course: Course
    known: Known
    bands: Bands
    started: float
    accounts: Accounts


@dataclass
class _Stage:
    """What the acts of the timetable act upon, and what they leave."""

    folder: Path
    fleet: Fleet
    known: Known
    accounts: Accounts
    events: list[Event] = field(default_factory=list)
    features: list[Activation] = field(default_factory=list)
    models: list[Activation] = field(default_factory=list)
    dead: Member | None = None


def run(plan: Plan, folder: Path) -> Run:
    """Raises TimeoutError, or CalledProcessError, where a part of it does not do its work."""
    with ExitStack() as stack:
        fleet = stack.enter_context(
            cluster(folder / "redis", *CLUSTER, primaries=plan.primaries, binary=shutil.which("redis-server"))
        )
        known = Known(plan.customers, folder / "served")
        stage = _Stage(folder, fleet, known, Accounts())
        bands = _stock(stage, plan)
        services = [
            stack.enter_context(service(fleet.url, folder, (bands.review_from, bands.decline_from)))
            for _ in range(plan.workers)
        ]
        for member in fleet.members:
            stage.accounts.add("Redis", member.process.pid)
        for one in services:
            stage.accounts.add("prediction service", one.process.pid)
        with _load(plan, [one.port for one in services], folder) as generator:
            stage.accounts.add("load generator", generator.pid)
            assert generator.stdout is not None
            started = float(generator.stdout.readline())
            stage.accounts.start()
            _play(stage, started, plan.seconds)
            if generator.wait():
                raise subprocess.CalledProcessError(generator.returncode, "the load generator")
            stage.accounts.stop()
        course = Course(stage.events, stage.features, stage.models)
        rows, whole = np.load(folder / ROWS_FILE), read_whole(folder / WHOLE_FILE)
        return Run(plan, rows, whole, course, known, bands, started, stage.accounts)


def _stock(stage: _Stage, plan: Plan) -> Bands:
    """The first version and the first models, and what publications and the retraining will take."""
    vectors = [write_vectors(stage.folder, plan.customers, seed) for seed in range(1 + len(PUBLICATIONS))]
    version, before, after = publish(stage.fleet.url, str(vectors[0]), plan.customers, YESTERDAY)
    stage.known.vectors[version] = vectors[0]
    stage.features.append(Activation(version, before, after))
    wanted = int(TRAINING_ROWS_A_SECOND * plan.seconds)
    rows = min(max(wanted, FEWEST_TRAINING_ROWS), MOST_TRAINING_ROWS) // 60 * 60
    first, newer = (training_on(write_vectors(stage.folder, rows, seed), rows, seed) for seed in TRAINING_SEEDS)
    models = [replace(train(name, first), version=1) for name in DAILY_MODELS]
    for model in models:
        put(stage.known.models_folder, model)
    activate(stage.known.models_folder, models)
    stage.models.append(Activation(1, before, time.monotonic()))
    arrays = {name: getattr(newer, name) for name in ARRAYS}
    written = write_training_set(stage.folder / "training", newer.spec, newer.inputs, {}, arrays)
    written.rename(stage.folder / "training-set")
    return Bands(*stage.known.thresholds(NOT_APPROVED_SHARE, version))


@contextmanager
def _load(plan: Plan, ports: Sequence[int], folder: Path) -> Iterator[subprocess.Popen[str]]:
    """The load generator, which says when it begins."""
    given = (",".join(map(str, ports)), plan.customers, plan.a_second, plan.seconds, folder)
    words = [sys.executable, "-m", "benchmarks.proof.generating", *map(str, given)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=_ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _play(stage: _Stage, started: float, seconds: float) -> None:
    acts = [(share, lambda number=n: _publish(stage, number)) for n, share in enumerate(PUBLICATIONS, 1)]
    acts += [
        (RETRAINING, lambda: _retrain(stage)),
        (DEATH, lambda: _kill_a_primary(stage)),
        (RETURN, lambda: _start_it_again(stage)),
        (ROLLBACK, lambda: _roll_back(stage)),
    ]
    for share, act in sorted(acts, key=lambda one: one[0]):
        time.sleep(max(started + share * seconds - time.monotonic(), 0.0))
        act()
    if time.monotonic() > started + seconds:
        raise TimeoutError(f"{seconds:g} s are too short for all that was to happen in them")


def _publish(stage: _Stage, number: int) -> None:
    vectors = stage.folder / f"vectors-{number}.parquet"
    began = time.monotonic()
    words = ("benchmarks.proof.publishing", stage.fleet.url, vectors, stage.known.customers, YESTERDAY)
    version, before, after = _batch(stage, "publication", *words)
    stage.known.vectors[version] = vectors
    stage.features.append(Activation(version, before, after))
    stage.events.append(Event(f"publication of version {version}", began, before))
    stage.events.append(Event(f"switch to version {version}", before, after, is_moment=True))


def _retrain(stage: _Stage) -> None:
    began = time.monotonic()
    words = ("benchmarks.proof.retraining", stage.folder / "training-set", stage.known.models_folder, 2)
    before, after = _batch(stage, "retraining", *words)
    stage.models.append(Activation(2, before, after))
    stage.events.append(Event("retraining", began, before))
    stage.events.append(Event("swap of both models", before, after, is_moment=True))


def _batch(stage: _Stage, part: str, module: str, *words: object) -> list[float]:
    """What the process printed last; it gives way to whoever serves, and trains with one thread."""
    line = ["nice", "-n", str(BATCH_NICENESS), sys.executable, "-m", module, *map(str, words)]
    environment = dict(os.environ) | {"BNPL_MODEL_THREADS": "1"}
    process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=environment, cwd=_ROOT)
    stage.accounts.add(part, process.pid)
    told, _ = process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, line)
    found: list[float] = json.loads(told.splitlines()[-1])
    return found


def _kill_a_primary(stage: _Stage) -> None:
    """The one that holds the pointer as well."""
    slot = slot_of(NAMESPACE.encode())
    victim = stage.fleet.primary_of(slot)
    began = time.monotonic()
    victim.kill()
    stage.dead = victim
    wait_for(lambda: stage.fleet.primary_of(slot) is not victim, "a replica takes over", 30.0)
    stage.events.append(Event("a primary is killed, its replica takes over", began, time.monotonic()))


def _start_it_again(stage: _Stage) -> None:
    assert stage.dead is not None
    began = time.monotonic()
    stage.dead.start_again()
    stage.accounts.add("Redis", stage.dead.process.pid)

    def follows() -> bool:
        told = stage.dead.client.info("replication")
        return bool(told["role"] == "slave" and told["master_link_status"] == "up")

    wait_for(follows, "the server that was killed follows the new primary", 60.0)
    stage.events.append(Event("it comes back, as a replica", began, time.monotonic()))


def _roll_back(stage: _Stage) -> None:
    target = target_at(stage.fleet.url)
    before = time.monotonic()
    version, _ = roll_back(target.client, target.keyspace, actor="proof", reason="the proof's timetable")
    after = time.monotonic()
    stage.features.append(Activation(version, before, after))
    stage.events.append(Event(f"rollback to version {version}", before, after, is_moment=True))
