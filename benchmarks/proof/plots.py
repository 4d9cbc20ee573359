"""The run as one picture: latency, what answers were made of, which version answered, who kept the processors busy."""

from __future__ import annotations

import io
from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.proof.checking import Verdict
from benchmarks.proof.cpu import OTHERS
from benchmarks.proof.figures import P99_MILLISECONDS, latencies
from benchmarks.proof.running import Run

_SIZE_INCHES = (11.0, 11.0)
_SHADES = ("#4477aa", "#228833", "#aa3377", "#ee7733", "#66ccee", "#ccbb44", "#000000")
_LOWEST_MILLISECONDS = 0.3


def picture(run: Run, verdict: Verdict) -> str:
    """An SVG, whose text stays text."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "proof", "font.size": 9.0}):
        figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
        latency, share, versions, processors = figure.subplots(4, 1, sharex=True, height_ratios=(3, 2, 2, 2))
        _latency(latency, run)
        _share(share, run, verdict)
        _versions(versions, run)
        _processors(processors, run)
        for axes in (latency, share, versions, processors):
            _events(axes, run, named=axes is latency)
            axes.set_xlim(0, run.plan.seconds)
            axes.spines[["top", "right"]].set_visible(False)
        processors.set_xlabel("seconds since the first request")
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None})
    return "\n".join(line.rstrip() for line in written.getvalue().splitlines()) + "\n"


def _latency(axes: Any, run: Run) -> None:
    by_second = _by_second(run)
    taken = latencies(run.rows)
    for number, (name, share) in enumerate((("p50", 0.5), ("p99", 0.99), ("longest", 1.0))):
        values = [float(np.quantile(taken[one], share, method="higher")) for one in by_second]
        axes.plot(np.arange(len(values)) + 0.5, values, label=name, color=_SHADES[number], linewidth=0.9)
    axes.axhline(P99_MILLISECONDS, color="#cc3311", linewidth=0.8, linestyle="--", label="limit of p99")
    axes.set(yscale="log", ylabel="ms, due to answered,\nby second", ylim=(_LOWEST_MILLISECONDS, None))
    axes.legend(loc="upper right", ncols=4, frameon=False)


def _share(axes: Any, run: Run, verdict: Verdict) -> None:
    by_second = _by_second(run)
    kinds = (("fallback", verdict.fallback), ("failed", verdict.failed), ("wrong", verdict.wrong))
    for number, (name, flags) in enumerate(kinds):
        values = [100 * float(flags[one].mean()) for one in by_second]
        axes.plot(np.arange(len(values)) + 0.5, values, label=name, color=_SHADES[number], linewidth=0.9)
    axes.set(ylabel="% of requests", ylim=(-0.02 * axes.get_ylim()[1], None))
    axes.legend(loc="upper right", ncols=3, frameon=False)


def _versions(axes: Any, run: Run) -> None:
    by_second = _by_second(run)
    shade = iter(_SHADES)
    for column, kind, style in (("feature_version", "features", "-"), ("model_version", "models", "--")):
        answered = run.rows["status"] == 200
        for version in np.unique(run.rows[column][answered]):
            values = [100 * float((run.rows[column][one] == version).mean()) for one in by_second]
            label = f"{kind}, version {version}"
            axes.plot(np.arange(len(values)) + 0.5, values, style, label=label, color=next(shade), linewidth=0.9)
    axes.set(ylabel="% of answers", ylim=(-3, 103))
    axes.legend(loc="center right", ncols=1)


def _processors(axes: Any, run: Run) -> None:
    seconds = round(run.plan.seconds)
    busy: dict[str, NDArray[np.float64]] = defaultdict(lambda: np.zeros(seconds))
    for at, taken in run.accounts.taken:
        second = int(at - run.started)
        if 0 <= second < seconds:
            for part, took in taken.items():
                busy[part][second] += took
    order = sorted(busy, key=lambda part: (part == OTHERS, float(-busy[part].sum())))
    colors = [*_SHADES[: len(order) - 1], "#cccccc"]
    axes.stackplot(np.arange(seconds) + 0.5, [busy[part] for part in order], labels=order, colors=colors)
    axes.set(ylabel="processors kept busy", ylim=(0, 1.3 * axes.get_ylim()[1]))
    axes.legend(loc="upper right", ncols=3)


def _events(axes: Any, run: Run, *, named: bool) -> None:
    for number, event in enumerate(sorted(run.course.events, key=lambda one: one.began)):
        began, ended = event.began - run.started, event.ended - run.started
        if event.is_moment:
            axes.axvline(ended, color="#888888", linewidth=0.7)
        else:
            axes.axvspan(began, ended, color="#888888", alpha=0.2, linewidth=0)
        if named:
            where = ("data", "axes fraction")
            axes.annotate(
                event.name, (began, 1.0), (2, 2 + 9 * (number % 5)), where, textcoords="offset points", fontsize=7
            )


def _by_second(run: Run) -> list[slice]:
    a_second = run.plan.a_second
    return [slice(start, start + a_second) for start in range(0, len(run.rows), a_second)]
