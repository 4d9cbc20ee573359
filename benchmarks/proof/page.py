"""The figures of a run as Markdown, written into a page between its markers, and the picture beside the page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.proof.checking import Verdict
from benchmarks.proof.figures import figures, spans
from benchmarks.proof.plots import picture
from benchmarks.proof.running import Run
from benchmarks.table import machine

BEGIN, END = "<!-- load proof: written by `make proof` -->\n", "<!-- end of load proof -->\n"
PICTURE = Path("images") / "load-proof.svg"


def write_page(page: Path, run: Run, verdict: Verdict) -> None:
    """Raises ValueError where the page lacks the markers."""
    before, begin, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} lacks the markers {BEGIN.strip()} and {END.strip()}")
    (page.parent / PICTURE).parent.mkdir(exist_ok=True)
    (page.parent / PICTURE).write_text(picture(run, verdict))
    page.write_text(before + BEGIN + section(run, verdict) + END + after)


def section(run: Run, verdict: Verdict) -> str:
    plan = run.plan
    met = {None: "", True: "yes", False: "**no**"}
    parts = [
        f"{datetime.now(UTC):%Y-%m-%d}, {machine()}. {plan.customers:,} customers, {plan.a_second:,} predictions a "
        f"second for {plan.seconds:g} s, {_counted(plan.workers, 'process')} of the prediction service, a cluster of "
        f"{plan.primaries} primaries with a replica each.",
        _table(
            ("figure", "measured", "target", "met"),
            [(one.name, one.measured, one.target, met[one.is_met]) for one in figures(run, verdict)],
        ),
        f"![Latency, fallbacks, versions and processors, second by second]({PICTURE})",
        _table(
            ("event", "seconds", "requests", "p50, ms", "p99, ms", "longest, ms", "fallback", "failed", "wrong"),
            [
                (
                    one.name,
                    f"{one.began:.1f} to {one.ended:.1f}",
                    f"{one.requests:,}",
                    f"{one.p50:.2f}",
                    f"{one.p99:.2f}",
                    f"{one.longest:.1f}",
                    f"{one.fallbacks:,}",
                    f"{one.failed:,}",
                    f"{one.wrong:,}",
                )
                for one in spans(run, verdict)
            ],
        ),
        _table(
            ("part", "processors kept busy, mean"),
            [(part, f"{cores:.2f}") for part, cores in run.accounts.cores().items()],
        ),
    ]
    if verdict.why:
        parts.append(_table(("what was wrong", "answers"), [(why, f"{n:,}") for why, n in verdict.why.items()]))
    return "\n" + "\n\n".join(parts) + "\n\n"


def _counted(number: int, noun: str) -> str:
    return f"one {noun}" if number == 1 else f"{number} {noun}es"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
