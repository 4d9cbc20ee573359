"""Web frameworks beside one another: the same endpoint, one worker, wrk on the same machine.

    make .venv-frameworks/ready && python -m benchmarks.frameworks [seconds]

Needs Debian's `wrk`.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from benchmarks.scoring import wrk
from benchmarks.servers import free_port
from benchmarks.table import print_table

SECONDS = 10
_BIN = Path(__file__).resolve().parents[1] / ".venv-frameworks" / "bin"
_FOLDER = Path(__file__).parent
_UVICORN = "uvicorn framework_apps:app --no-access-log --log-level error --loop uvloop --http httptools --port"
_GRANIAN = "granian framework_apps:{app} --interface {kind} --workers 1 --no-ws --loop uvloop --no-log --port"

CONTENDERS = {
    "plain ASGI, uvicorn": ("asgi", _UVICORN),
    "plain ASGI, granian": ("asgi", _GRANIAN.format(app="app", kind="asgi")),
    "RSGI, granian": ("asgi", _GRANIAN.format(app="rsgi", kind="rsgi")),
    "BlackSheep, uvicorn": ("blacksheep", _UVICORN),
    "Starlette, uvicorn": ("starlette", _UVICORN),
    "Falcon, uvicorn": ("falcon", _UVICORN),
    "Litestar, uvicorn": ("litestar", _UVICORN),
    "Robyn": ("robyn", "python framework_apps.py"),
    "FastAPI, uvicorn": ("fastapi", _UVICORN),
}


def main() -> None:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    rows = []
    for name, (framework, words) in CONTENDERS.items():
        a_second, p50, p99, failed = measured(framework, words.split(), seconds)
        rows.append((name, f"{a_second:,.0f}", f"{p50:.2f}", f"{p99:.2f}", failed))
    print_table(
        f"One worker, 40 us of work a request, 32 connections, {seconds} s each, wrk on the same machine",
        ("framework", "requests/s", "p50, ms", "p99, ms", "failed"),
        rows,
    )


def measured(framework: str, words: list[str], seconds: int) -> tuple[float, float, float, int]:
    port = free_port()
    environment = dict(os.environ) | {"FRAMEWORK": framework}
    process = subprocess.Popen(
        [str(_BIN / words[0]), *words[1:], str(port)],
        cwd=_FOLDER,
        env=environment,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            time.sleep(0.1)
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
                break
        wrk(port, "/v1/score", 1_000, 2)
        return wrk(port, "/v1/score", 1_000, seconds)
    finally:
        # Some frameworks serve from children of their own, which do not end with their parent.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


if __name__ == "__main__":
    main()
