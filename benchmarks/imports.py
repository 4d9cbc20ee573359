"""How long the reader takes to import, beside redis and numpy alone, which it needs: the fastest of some starts.

    python -m benchmarks.imports [python ...]

Each Python must have the wheel's core; without one it is the Python that runs this. The
interpreter's own start is taken off.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

from benchmarks.table import print_table

STARTS = 60
CASES = {"the reader": "import bnpl_features.store.reader", "redis and numpy alone": "import redis, numpy"}


def main(*pythons: str) -> None:
    rows = []
    for python in pythons or (sys.executable,):
        asked = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        version = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
        nothing = _fastest(python, "pass")
        for name, code in CASES.items():
            clock, processor = ((took - base) * 1e3 for took, base in zip(_fastest(python, code), nothing, strict=True))
            rows.append((version, name, f"{clock:.0f}", f"{processor:.0f}"))
    print_table(f"Import, milliseconds, fastest of {STARTS}", ("Python", "", "by the clock", "processor time"), rows)


def _fastest(python: str, code: str) -> tuple[float, float]:
    """Seconds by the clock and of processor time, each the least."""
    clocks, processors = [], []
    for _ in range(STARTS):
        started = time.perf_counter()
        process = os.posix_spawn(python, [python, "-c", code], os.environ)
        _, status, used = os.wait4(process, 0)
        clocks.append(time.perf_counter() - started)
        processors.append(used.ru_utime + used.ru_stime)
        assert status == 0
    return min(clocks), min(processors)


if __name__ == "__main__":
    main(*sys.argv[1:])
