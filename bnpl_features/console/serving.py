"""The console's process: listens, answers, ends on SIGTERM or Ctrl-C."""

from __future__ import annotations

import uvicorn
from starlette.types import ASGIApp

STOP_SECONDS = 3


def serve(app: ASGIApp, host: str, port: int) -> None:
    """Answer until told to stop."""
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
