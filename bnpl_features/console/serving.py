"""The console's process: listens, answers, ends on SIGTERM or Ctrl-C."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

STOP_SECONDS = 3


def serve(app: ASGIApp, host: str, port: int) -> None:
    """Answer until told to stop."""
    # uvicorn sends itself the signal again when it has stopped; the blocks around this one have things to put away.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    with suppress(KeyboardInterrupt):
        uvicorn.Server(server_config(app, host, port)).run()


def server_config(app: ASGIApp, host: str, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host,
        port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
