"""The figures of a run, each beside its target: over all of it, by window, inside each event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.proof.answers import DECISIONS, Rows
from benchmarks.proof.checking import PATIENCE_SECONDS, Verdict
from benchmarks.proof.events import Event
from benchmarks.proof.running import Run
from bnpl_features.scoring.decision import Decision

P99_MILLISECONDS, AVAILABILITY, A_MINUTE = 100.0, 0.999, 100_000
AFTERMATH_SECONDS = 5.0
"""What follows from a moment, such as a switch, is looked for so long."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Figure:
    """`is_met` is None where nothing was promised."""

    name: str
    measured: str
    target: str = ""
    is_met: bool | None = None


@dataclass(frozen=True)
class Span:
    """A stretch of the run and what was measured in it; seconds since its start, latencies in milliseconds."""

    name: str
    began: float
    ended: float
    requests: int
    p50: float
    p99: float
    longest: float
    fallbacks: int
    failed: int
    wrong: int


def latencies(rows: Rows) -> Floats:
    """Milliseconds from due to answered; infinite where no answer came."""
    taken: Floats = np.where(rows["status"] == 200, 1_000 * (rows["ended"] - rows["due"]), np.inf)
    return taken


def figures(run: Run, verdict: Verdict) -> list[Figure]:
    rows = run.rows
    taken = latencies(rows)
    p50, p99, p999 = (float(np.quantile(taken, share, method="higher")) for share in (0.5, 0.99, 0.999))
    answered = int((~verdict.failed).sum())
    rate = 60 * answered / run.plan.seconds
    available = answered / len(rows)
    second, ten = worst_window(run, taken, 1), worst_window(run, taken, 10)
    wrong, fallbacks = int(verdict.wrong.sum()), int(verdict.fallback.sum())
    sent_late = float(np.quantile(1_000 * (rows["sent"] - rows["due"]), 0.99))
    limit = f"under {P99_MILLISECONDS:g} ms"
    wanted = 60 * run.plan.a_second * AVAILABILITY
    return [
        Figure(
            "predictions answered a minute",
            f"{rate:,.0f}",
            f"{min(A_MINUTE, wanted):,.0f}",
            rate >= min(A_MINUTE, wanted),
        ),
        Figure("p50", _ms(p50)),
        Figure("p99", _ms(p99), limit, p99 < P99_MILLISECONDS),
        Figure("p99.9", _ms(p999)),
        Figure("longest", _ms(float(taken.max()))),
        Figure("p99 of the worst second", _ms(second), limit, second < P99_MILLISECONDS),
        Figure("p99 of the worst ten seconds", _ms(ten), limit, ten < P99_MILLISECONDS),
        Figure(
            f"answered with 200 within {PATIENCE_SECONDS:g} s",
            f"{available:.4%}",
            f"over {AVAILABILITY:.1%}",
            available > AVAILABILITY,
        ),
        Figure("failed", f"{int(verdict.failed.sum()):,}"),
        Figure("wrong answers", f"{wrong:,} of {len(rows):,}", "none", wrong == 0),
        Figure("answered without the customer's features (fallback)", f"{fallbacks:,}, {fallbacks / len(rows):.4%}"),
        Figure(
            "without the reasons that were due, of those kept whole",
            f"{verdict.without_reasons:,} of {verdict.whole:,}",
        ),
        Figure("not approved, so with reasons, by each version of the models", _not_approved(run)),
        Figure("of it waited for a free connection, p99", _ms(sent_late)),
    ]


def _not_approved(run: Run) -> str:
    rows = run.rows[run.rows["status"] == 200]
    is_approved = rows["decision"] == DECISIONS.index(Decision.APPROVE)
    shares = [1.0 - is_approved[rows["model_version"] == one.version].mean() for one in run.course.models]
    return ", ".join(f"{share:.1%}" for share in shares)


def worst_window(run: Run, taken: Floats, seconds: int) -> float:
    """The highest p99 of any window of so many seconds that begins at a whole second."""
    a_second = run.plan.a_second
    starts = range(0, max(len(taken) - seconds * a_second, 0) + 1, a_second)
    return max(float(np.quantile(taken[n : n + seconds * a_second], 0.99, method="higher")) for n in starts)


def spans(run: Run, verdict: Verdict) -> list[Span]:
    """One for each event, in order, and one for all that is outside of them."""
    rows = run.rows
    taken, due = latencies(rows), rows["due"] - run.started
    found, outside = [], np.ones(len(rows), dtype=bool)
    for event in sorted(run.course.events, key=lambda one: one.began):
        began, ended = window(event, run)
        inside = (due >= began) & (due < ended)
        outside &= ~inside
        if inside.any():
            found.append(_span(event.name, began, ended, inside, taken, verdict))
    if outside.any():
        found.append(_span("outside of all these", 0.0, run.plan.seconds, outside, taken, verdict))
    return found


def window(event: Event, run: Run) -> tuple[float, float]:
    """Seconds since the run's start between which the event's effects are looked for."""
    after = AFTERMATH_SECONDS if event.is_moment else 1.0
    return event.began - run.started, event.ended - run.started + after


def _span(name: str, began: float, ended: float, inside: NDArray[np.bool_], taken: Floats, verdict: Verdict) -> Span:
    p50, p99, longest = (float(np.quantile(taken[inside], share, method="higher")) for share in (0.5, 0.99, 1.0))
    counts: Sequence[int] = [int(flags[inside].sum()) for flags in (verdict.fallback, verdict.failed, verdict.wrong)]
    return Span(name, began, ended, int(inside.sum()), p50, p99, longest, *counts)


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:,.2f} ms" if np.isfinite(milliseconds) else "no answer"
