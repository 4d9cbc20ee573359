"""The process: starts whatever is down, changes what is followed, and ends without losing an accepted request."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bnpl_features.errors import BnplFeaturesError, SettingsError
from bnpl_features.scoring.core import Rules
from bnpl_features.scoring.encryption import Encryption
from bnpl_features.scoring.experiments.assignment import Assignments
from bnpl_features.scoring.experiments.definition import Definitions
from bnpl_features.scoring.experiments.shelf import Shelf, kept_definitions, watch_definitions
from bnpl_features.scoring.following import Followed, Follower
from bnpl_features.scoring.http import Application, Limits
from bnpl_features.scoring.journal import say
from bnpl_features.scoring.keys import Keys, read_keys, watch_keys
from bnpl_features.scoring.lookup import following_sets
from bnpl_features.scoring.models import NO_MODELS
from bnpl_features.scoring.predictions import MOST_QUEUED, PredictionLog
from bnpl_features.scoring.served import watch_models, write_wanted
from bnpl_features.scoring.service import Changing, Service
from bnpl_features.store.aio import AsyncCustomerFeatureStore
from bnpl_features.store.keyspace import CustomerKey
from bnpl_features.store.reading.lookups import ReaderOptions
from bnpl_features.telemetry.tracing import UNTRACED, Tracer

KEPT_DEFINITIONS = "experiments.json"
SWITCH_SECONDS = 0.0005
"""How long a thread waits for the interpreter; with Python's 5 ms, reasons would come that much later."""

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_LOG = logging.getLogger("bnpl_features.scoring")


@dataclass(frozen=True)
class Serving:
    """How to serve. Folders are made where they are missing; `keys_file` None lets anybody ask, on loopback only."""

    host: str
    port: int
    store_url: str
    reader: ReaderOptions
    customer_key: bytes
    models_folder: Path
    predictions_folder: Path
    keys_file: Path | None = None
    encryption: Encryption | None = None
    rules: Rules = field(default_factory=Rules)
    limits: Limits = field(default_factory=Limits)
    look_seconds: float = 1.0
    request_seconds: float = 5.0
    drain_seconds: float = 2.0
    stop_seconds: float = 10.0
    most_queued: int = MOST_QUEUED
    tracer: Tracer = UNTRACED


def serve(serving: Serving, shelf: Shelf, started: Callable[[int], None] = lambda port: None) -> None:
    """Serve until SIGTERM or SIGINT; `started` is told the port. Raises `SettingsError` before anything is served."""
    keys = _keys(serving)
    if serving.encryption:
        serving.encryption.check()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        listener = socket.create_server((serving.host, serving.port), backlog=1024)
    except OSError as error:
        raise SettingsError(
            f"{serving.host}:{serving.port} cannot be listened on: {error.strerror}; choose scoring.host and "
            "scoring.port, or end what listens there"
        ) from error
    with listener:
        started(listener.getsockname()[1])
        loop = _loop_factory()
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(_serve(serving, shelf, keys, listener))


async def _serve(serving: Serving, shelf: Shelf, keys: Followed[Keys] | None, listener: socket.socket) -> None:
    store = await AsyncCustomerFeatureStore.open(serving.store_url, **serving.reader)
    look = following_sets(watch_models(serving.models_folder), store.lookups.follower.follow)
    changing = Changing(
        Followed("models", NO_MODELS, look),
        Followed("experiments", Assignments(Definitions()), _watch_assignments(serving, shelf)),
        keys,
    )
    await asyncio.to_thread(changing.models.look)
    changing.assignments.value = _kept_assignments(serving)
    service = Service(
        store,
        changing,
        serving.rules,
        PredictionLog(serving.predictions_folder, most_queued=serving.most_queued),
        CustomerKey(serving.customer_key).digest,
        serving.tracer,
    )
    followed: list[Followed[Any]] = [changing.models, changing.assignments]
    follower = Follower([*followed, *([keys] if keys else [])], serving.look_seconds)
    follower.start()
    server = _Server(serving, service)
    # Models and modules stay for good: no collection needs to walk over them while requests wait.
    gc.collect()
    gc.freeze()
    say(_LOG, logging.INFO, "started", host=serving.host, port=listener.getsockname()[1])
    try:
        await server.serve(sockets=[listener])
    finally:
        await asyncio.to_thread(follower.close)
        await service.close()
        say(_LOG, logging.INFO, "stopped", logged=service.log.written, dropped=service.log.dropped)


class _Server(uvicorn.Server):
    """Told to stop, it goes on serving for `drain_seconds`, ending each connection with its next answer: by then a
    load balancer has seen that it is not ready, and nothing is on its way to it any more."""

    def __init__(self, serving: Serving, service: Service) -> None:
        config = uvicorn.Config(
            Application(service, serving.limits),
            http=_timed_protocol(service, serving.request_seconds),
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            date_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=max(1, round(serving.stop_seconds)),
            **(serving.encryption.options() if serving.encryption else {}),
        )
        super().__init__(config)
        self._service = service
        self._drain_seconds = serving.drain_seconds

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._service.is_draining:
            self.should_exit = True
            self.force_exit = sig == signal.SIGINT
            return
        self._service.is_draining = True
        say(_LOG, logging.INFO, "draining", seconds=self._drain_seconds)
        asyncio.get_running_loop().call_later(self._drain_seconds, self._exit)

    def _exit(self) -> None:
        self.should_exit = True


def _timed_protocol(service: Service, request_seconds: float) -> type[HttpToolsProtocol]:
    """uvicorn's protocol, and a limit on how long a request may take to arrive: a connection that sends a byte a minute
    is closed."""

    class TimedProtocol(HttpToolsProtocol):
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._expect_request()

        def on_message_begin(self) -> None:
            super().on_message_begin()
            self._expect_request()

        def on_message_complete(self) -> None:
            super().on_message_complete()
            self._stop_waiting()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def _expect_request(self) -> None:
            self._stop_waiting()
            self._deadline = self.loop.call_later(request_seconds, self._give_up)

        def _stop_waiting(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _give_up(self) -> None:
            service.measures.timed_out += 1
            self.transport.close()

    return TimedProtocol


def _watch_assignments(serving: Serving, shelf: Shelf) -> Callable[[], Assignments | None]:
    look = watch_definitions(shelf, serving.models_folder / KEPT_DEFINITIONS)

    def assignments() -> Assignments | None:
        definitions = look()
        if definitions is None:
            return None
        found = Assignments(definitions)
        write_wanted(serving.models_folder, found.models)
        running = definitions.running
        say(
            _LOG,
            logging.INFO,
            "experiments changed",
            revision=definitions.revision,
            running=running.name if running else None,
            shares=running.shares if running else {},
        )
        return found

    return assignments


def _kept_assignments(serving: Serving) -> Assignments:
    with suppress(BnplFeaturesError, OSError):
        return Assignments(kept_definitions(serving.models_folder / KEPT_DEFINITIONS))
    return Assignments(Definitions())


def _keys(serving: Serving) -> Followed[Keys] | None:
    if serving.keys_file is None:
        if serving.host not in _LOOPBACK:
            raise SettingsError(
                f"without API keys only this machine may ask, but scoring.host is {serving.host}; set "
                "scoring.keys_file, and make keys with `bnpl-features api-key NAME`"
            )
        _LOG.warning("no API keys are set: anybody on this machine may ask")
        return None
    keys: Keys = read_keys(serving.keys_file)
    return Followed("API keys", keys, watch_keys(serving.keys_file))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop where it is installed (not on Windows)."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
