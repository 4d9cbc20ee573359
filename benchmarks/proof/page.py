"""The figures of a run as Markdown, written into a page between its markers, and the picture beside the page."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from benchmarks.proof.checking import Verdict
from benchmarks.proof.figures import figures, spans
from benchmarks.proof.plots import picture
from benchmarks.proof.running import Run
from benchmarks.table import markdown_table, write_section

COMMAND = "make proof"
PICTURE = Path("images") / "load-proof.svg"


def write_page(page: Path, run: Run, verdict: Verdict) -> None:
    """Raises InputError where the page lacks the markers."""
    (page.parent / PICTURE).parent.mkdir(exist_ok=True)
    (page.parent / PICTURE).write_text(picture(run, verdict))
    write_section(page, COMMAND, section(run, verdict))


def section(run: Run, verdict: Verdict) -> str:
    plan = run.plan
    met = {None: "", True: "yes", False: "**no**"}
    parts = [
        f"{datetime.now(UTC):%Y-%m-%d}. {plan.customers:,} customers, {plan.a_second:,} predictions a "
        f"second for {plan.seconds:g} s, {_counted(plan.workers, 'process')} of the prediction service, a cluster of "
        f"{plan.primaries} primaries with a replica each.",
        markdown_table(
            ("figure", "measured", "target", "met"),
            [(one.name, one.measured, one.target, met[one.is_met]) for one in figures(run, verdict)],
        ),
        f"![Latency, fallbacks, versions and processors, second by second]({PICTURE})",
        markdown_table(
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
        markdown_table(
            ("part", "processors kept busy, mean"),
            [(part, f"{cores:.2f}") for part, cores in run.accounts.cores().items()],
        ),
    ]
    if verdict.why:
        parts.append(markdown_table(("what was wrong", "answers"), [(why, f"{n:,}") for why, n in verdict.why.items()]))
    return "\n\n".join(parts)


def _counted(number: int, noun: str) -> str:
    return f"one {noun}" if number == 1 else f"{number} {noun}es"
