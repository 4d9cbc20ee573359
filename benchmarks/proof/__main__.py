"""100,000 predictions a minute while versions are published and switched, models retrained and a primary dies.

    python -m benchmarks.proof [customers] [seconds] [--rate A_SECOND] [--workers N] [--write PAGE]

Each answer is computed anew and compared. Cluster, service, load generator, publisher and training share the machine.
Needs Debian's `redis-server`. With --write the figures and the picture go into a page, between its markers.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.proof.checking import check
from benchmarks.proof.figures import figures, spans
from benchmarks.proof.page import write_page
from benchmarks.proof.running import Plan, run
from benchmarks.table import print_table

CUSTOMERS, SECONDS, A_SECOND, WORKERS = 200_000, 600.0, 1_700, 1


def main() -> int:
    asked = _arguments()
    if shutil.which("redis-server") is None:
        print("needs redis-server: apt-get install redis-server")
        return 2
    plan = Plan(asked.customers, asked.seconds, asked.rate, asked.workers)
    with tempfile.TemporaryDirectory(prefix="bnpl-proof-") as folder:
        found = run(plan, Path(folder))
        verdict = check(found.rows, found.course, found.known, found.bands, found.whole)
        shown = figures(found, verdict)
        print_table(
            f"{plan.customers:,} customers, {plan.a_second:,} predictions a second for {plan.seconds:g} s",
            ("figure", "measured", "target", "met"),
            [(one.name, one.measured, one.target, {None: "", True: "yes", False: "NO"}[one.is_met]) for one in shown],
        )
        print_table(
            "Inside of each event",
            (
                "event",
                "from, s",
                "to, s",
                "requests",
                "p50, ms",
                "p99, ms",
                "longest, ms",
                "fallback",
                "failed",
                "wrong",
            ),
            [
                (
                    one.name,
                    f"{one.began:.1f}",
                    f"{one.ended:.1f}",
                    f"{one.requests:,}",
                    f"{one.p50:.2f}",
                    f"{one.p99:.2f}",
                    f"{one.longest:.1f}",
                    one.fallbacks,
                    one.failed,
                    one.wrong,
                )
                for one in spans(found, verdict)
            ],
        )
        print_table(
            "Processors kept busy, over the whole run",
            ("part", "cores"),
            [(part, f"{cores:.2f}") for part, cores in found.accounts.cores().items()],
        )
        for why, count in verdict.why.items():
            print(f"wrong: {why}: {count:,}")
        if asked.write:
            write_page(asked.write, found, verdict)
    return 0 if all(one.is_met is not False for one in shown) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.proof")
    parser.add_argument("customers", type=int, nargs="?", default=CUSTOMERS)
    parser.add_argument("seconds", type=float, nargs="?", default=SECONDS)
    parser.add_argument("--rate", type=int, default=A_SECOND, help="predictions a second")
    parser.add_argument("--workers", type=int, default=WORKERS, help="processes of the prediction service")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="write the figures between the page's markers")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
