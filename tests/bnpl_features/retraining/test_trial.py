"""A challenger's trial: what is started, what is replaced, what is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from bnpl_features.retraining.trial import ACTOR, Mode, Trial, begin_trial
from bnpl_features.risk_model.registry import Version
from bnpl_features.scoring.experiments.definition import Arm, Definitions, Request, start, stop
from bnpl_features.scoring.experiments.shelf import FileShelf, change, read_definitions


@pytest.fixture
def shelf(tmp_path: Path) -> FileShelf:
    return FileShelf(tmp_path / "experiments.json")


def begun(shelf: FileShelf, number: int, mode: Mode, objections: tuple[str, ...] = ()) -> Trial:
    challenger = Version("behavioural", number, ("challenger",), 0.0, {}, "")
    return begin_trial(
        shelf, challenger, mode, share=0.1, objections=objections, salt="s", now=10.0 * number, reason="drift"
    )


def definitions(shelf: FileShelf) -> Definitions:
    return read_definitions(shelf)


def test_a_shadow_answers_nobody(shelf: FileShelf) -> None:
    trial = begun(shelf, 4, Mode.SHADOW)

    running = definitions(shelf).running
    assert running is not None
    assert (running.name, running.actor, running.reason) == (trial.experiment, ACTOR, "drift")
    assert running.arms == (Arm("challenger", "behavioural", 4, is_shadow=True),)
    assert running.shares == {}


def test_an_experiment_gives_the_challenger_its_share(shelf: FileShelf) -> None:
    begun(shelf, 4, Mode.EXPERIMENT)

    running = definitions(shelf).running
    assert running is not None
    assert running.shares == {"champion": 0.9, "challenger": 0.1}


def test_a_challenger_to_which_the_gate_objects_is_only_logged(shelf: FileShelf) -> None:
    trial = begun(shelf, 4, Mode.EXPERIMENT, ("roc_auc does not hold",))

    running = definitions(shelf).running
    assert running is not None
    assert trial.mode is Mode.SHADOW
    assert running.shares == {}


def test_the_next_challenger_takes_the_place_of_the_one_before(shelf: FileShelf) -> None:
    begun(shelf, 4, Mode.SHADOW)
    begun(shelf, 5, Mode.SHADOW)

    found = definitions(shelf)
    assert found.running is found.named("behavioural-v5")
    assert found.named("behavioural-v4").stopped_because == "behavioural-v5 takes its place"


def test_somebody_elses_experiment_goes_on(shelf: FileShelf) -> None:
    request = Request("autumn", ((Arm("champion"), 0.5), (Arm("new", "behavioural", 2), 0.5)))
    change(
        shelf,
        lambda found: start(found, request, salt="s", now=0.0, actor="analyst", reason="r"),
        act="start",
        actor="analyst",
        reason="r",
    )

    trial = begun(shelf, 4, Mode.SHADOW)

    assert (trial.experiment, trial.mode) == ("", Mode.NONE)
    assert "experiment autumn of analyst is running" in trial.because
    running = definitions(shelf).running
    assert running is not None
    assert running.name == "autumn"


def test_a_second_run_for_the_same_version_changes_nothing_even_after_a_stop(shelf: FileShelf) -> None:
    begun(shelf, 4, Mode.SHADOW)
    change(
        shelf,
        lambda found: stop(found, "behavioural-v4", now=50.0, because="harm"),
        act="stop",
        actor="guardrail",
        reason="harm",
    )
    before = definitions(shelf)

    assert begun(shelf, 4, Mode.SHADOW).because == "it was started before"
    assert definitions(shelf) == before


def test_without_a_trial_nothing_is_started(shelf: FileShelf) -> None:
    assert begun(shelf, 4, Mode.NONE) == Trial("", Mode.NONE, "retraining.mode is none")
    assert definitions(shelf) == Definitions()
