"""Whether each answer is right: it can be computed anew from what is known and from the versions that it names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from benchmarks.proof.answers import DECISIONS, MODELS, STATUSES, Rows
from benchmarks.proof.events import Activation, Course
from benchmarks.proof.generating import customer_of
from benchmarks.proof.known import Known
from benchmarks.store import YESTERDAY
from bnpl_features.scoring.core import Prediction
from bnpl_features.scoring.decision import Bands, Decision
from bnpl_features.scoring.reasons import reasons_of
from bnpl_features.store.reading.lookup import Status

GRACE_SECONDS = 2.0
"""A request that is sent so long after a switch, or after other models became champions, is answered by the new."""

PATIENCE_SECONDS = 1.0
"""A checkout that waited longer has gone on without: the request has failed, whatever the answer."""

TOLERANCE = 1e-12
"""Between a score computed alone and one computed in a batch of all customers."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Verdict:
    """A flag for each request, and the reasons for the wrong ones.

    failed: no answer within a second, or one other than 200.
    fallback: answered without the customer's features, and said so.
    wrong: answered with another score, decision, model, version or reasons than right.
    """

    failed: Flags
    fallback: Flags
    wrong: Flags
    why: Mapping[str, int]
    whole: int
    without_reasons: int


def check(rows: Rows, course: Course, known: Known, bands: Bands, whole: Mapping[int, bytes]) -> Verdict:
    """`rows` in the order of requests; `whole` are answers as they came, by request."""
    answered = rows["status"] == 200
    fallback = answered & (rows["model"] == MODELS.index("transaction_only"))
    faults = {
        "not the answer to its request": ~rows["is_own"],
        "neither fresh features nor a fallback that says so": ~_is_honest(rows),
        "a version of the features that was not to be served then": ~_is_served(
            rows, rows["feature_version"], course.features
        ),
        "a version of the model that was not to be served then": ~_is_served(
            rows, rows["model_version"], course.models
        ),
    }
    named = answered & ~np.logical_or.reduce(list(faults.values()))
    faults |= {
        "another probability than the versions that it names give": named & ~_is_right(rows, named, known),
        "another decision than its probability gives": rows["decision"] != _decisions(rows["probability"], bands),
    }
    late = rows["ended"] - rows["due"] > PATIENCE_SECONDS
    found = {name: answered & flags for name, flags in faults.items()}
    wrong = np.logical_or.reduce(list(found.values()))
    others, without_reasons = _check_whole({n: one for n, one in whole.items() if not wrong[n]}, rows, known)
    wrong[list(others)] = True
    return Verdict(
        failed=~answered | late,
        fallback=fallback,
        wrong=wrong,
        why=Counter({name: int(flags.sum()) for name, flags in found.items()}) + Counter(others.values()),
        whole=len(whole),
        without_reasons=without_reasons,
    )


def _is_honest(rows: Rows) -> Flags:
    """All customers are known, of yesterday: features are fresh, or the store was silent and the answer says so."""
    is_full = rows["model"] == MODELS.index("behavioural")
    is_fresh = rows["feature_status"] == STATUSES.index(Status.FRESH)
    is_spare = rows["model"] == MODELS.index("transaction_only")
    is_unavailable = rows["feature_status"] == STATUSES.index(Status.UNAVAILABLE)
    full: Flags = is_full & is_fresh & ~rows["has_fallback"]
    return full | (is_spare & is_unavailable & rows["has_fallback"])


def _is_served(rows: Rows, versions: NDArray[Any], activations: Sequence[Activation]) -> Flags:
    """Whether each answer's version was active at some moment between the request and the answer, grace included."""
    found = np.zeros(len(rows), dtype=bool)
    until = [*(one.ended + GRACE_SECONDS for one in activations[1:]), np.inf]
    for one, end in zip(activations, until, strict=True):
        found |= (versions == one.version) & (rows["ended"] >= one.began) & (rows["sent"] <= end)
    return found


def _is_right(rows: Rows, chosen: Flags, known: Known) -> Flags:
    right = np.zeros(len(rows), dtype=bool)
    customers = customer_of(np.arange(len(rows), dtype=np.int64), known.customers)  # type: ignore[arg-type]
    for model, model_version, feature_version in set(
        rows[chosen][["model", "model_version", "feature_version"]].tolist()
    ):
        mine = chosen & (rows["model"] == model) & (rows["model_version"] == model_version)
        mine &= rows["feature_version"] == feature_version
        expected = known.probabilities(MODELS[model], model_version, feature_version)[customers[mine]]
        right[mine] = np.abs(rows["probability"][mine] - expected) <= TOLERANCE
    return right


def _decisions(probabilities: NDArray[np.float64], bands: Bands) -> NDArray[np.uint8]:
    found = np.full(len(probabilities), DECISIONS.index(Decision.APPROVE), dtype=np.uint8)
    found[probabilities >= bands.review_from] = DECISIONS.index(Decision.REVIEW)
    found[probabilities >= bands.decline_from] = DECISIONS.index(Decision.DECLINE)
    return found


def _check_whole(whole: Mapping[int, bytes], rows: Rows, known: Known) -> tuple[dict[int, str], int]:
    """What is wrong with answers that were kept whole, and how many came without the reasons that they should have."""
    faults: dict[int, str] = {}
    without_reasons = 0
    for number, content in whole.items():
        if rows["status"][number] != 200:
            continue
        told = msgspec.json.decode(content, type=Prediction)
        assert told.model is not None
        assert told.model_version is not None
        model = known.model(told.model, told.model_version)
        customer = customer_of(number, known.customers)
        vector = known.features(told.feature_version or 0)[customer] if model.inputs.layout else None
        purchase = known.purchase(number)
        if model.score_one(purchase, vector) != told.probability:
            faults[number] = "another probability than the model gives alone"
        if told.feature_partition != YESTERDAY or told.warnings or told.experiment or told.arm != "champion":
            faults[number] = "another partition or arm than is served, or a warning"
        is_due = told.decision is not Decision.APPROVE
        if is_due and not told.reasons:
            without_reasons += 1
        elif told.reasons != (reasons_of(model.contributions(purchase, vector)) if is_due else ()):
            faults[number] = "other reasons than the model gives"
    return faults, without_reasons
