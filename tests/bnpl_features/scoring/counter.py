"""A real server process for tests, as an operator starts it, and how to ask it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnpl_features.scoring.served import activate, put
from tests.bnpl_features.scoring.checkout import body, model
from tests.bnpl_features.store.shop import SECRET, wait_until

PROGRAM = Path(sys.executable).with_name("bnpl-features")
START_SECONDS = 30.0
LIGHT = Path(__file__).resolve().parents[2] / "light"


@dataclass(frozen=True)
class Reply:
    status: int
    json: Any
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Counter:
    """A running service."""

    port: int
    process: subprocess.Popen[str]
    folder: Path
    trust: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.trust else 'http'}://127.0.0.1:{self.port}"

    @property
    def models(self) -> Path:
        return self.folder / "served"

    @property
    def predictions(self) -> Path:
        return self.folder / "predictions"

    @property
    def log(self) -> str:
        return (self.folder / "log.ndjson").read_text()

    def ask(self, path: str, content: bytes | None = None, **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if content is not None:
            named.setdefault("content-type", "application/json")
        request = urllib.request.Request(self.url + path, content, named)
        try:
            with urllib.request.urlopen(request, timeout=10, context=self.trust) as found:
                text, status, given = found.read(), found.status, found.headers
        except urllib.error.HTTPError as error:
            text, status, given = error.read(), error.code, error.headers
        is_json = "json" in given.get("content-type", "")
        return Reply(status, json.loads(text) if is_json else text.decode(), dict(given.items()))

    def score(self, **changes: Any) -> dict[str, Any]:
        """The prediction for a purchase; an answer other than 200 fails the test."""
        reply = self.ask("/v1/score", body(**changes))
        assert reply.status == 200, reply
        assert isinstance(reply.json, dict)
        return reply.json

    def metric(self, name: str) -> float:
        """The sum of the samples whose name and labels begin so."""
        lines = self.ask("/metrics").json.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    def stop(self, sign: int = signal.SIGTERM) -> int:
        self.process.send_signal(sign)
        return self.process.wait(timeout=20)

    def logged(self) -> list[dict[str, Any]]:
        """The records of the prediction log, closed segments and open ones."""
        files = sorted(self.predictions.glob("*/*.ndjson*"))
        return [json.loads(line) for file in files for line in file.read_bytes().splitlines()]


def serve_models(folder: Path, *versions: int) -> None:
    """The first is champion; transaction_only has version 1."""
    champion, *others = [model(version=number) for number in versions or (1,)]
    spare = model("transaction_only")
    for one in (champion, spare, *others):
        put(folder, one)
    activate(folder, [champion, spare], others)


@contextmanager
def running(
    folder: Path,
    url: str,
    namespace: str,
    *,
    models: tuple[int, ...] = (1,),
    trust: ssl.SSLContext | None = None,
    variables: Mapping[str, str] | None = None,
    **settings: Any,
) -> Iterator[Counter]:
    """A service on a free port, stopped when the block ends; with `trust` it is asked over HTTPS.

    `settings` are those of [scoring], `variables` any others.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if models:
        serve_models(folder / "served", *models)
    given = {
        "models_folder": folder / "served",
        "predictions_folder": folder / "predictions",
        "port": 0,
        "budget_seconds": 0.25,
        "look_seconds": 0.1,
        "drain_seconds": 0.5,
    } | settings
    registry = given.pop("registry_folder", None)
    environment = dict(os.environ) | {f"BNPL_SCORING_{name.upper()}": str(value) for name, value in given.items()}
    environment.pop("BNPL_SCORING_PORT")
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(LIGHT), os.environ.get("PYTHONPATH"))))
    environment |= {"REDIS_URL": url, "BNPL_NAMESPACE": namespace, "BNPL_CUSTOMER_KEY": SECRET.decode()}
    environment |= variables or {}
    words = [str(PROGRAM), "serve", "--port", str(given["port"])]
    if registry is None:
        words.append("--without-registry")
    else:
        environment["BNPL_MODEL_FOLDER"] = str(registry)
    with (folder / "log.ndjson").open("a") as log:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, env=environment, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("listening on port"), (folder / "log.ndjson").read_text()
        counter = Counter(int(line.rpartition(" ")[2]), process, folder, trust)
        wait_until(lambda: is_answering(counter), "the service answers", START_SECONDS)
        yield counter
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()


def is_answering(counter: Counter) -> bool:
    try:
        return counter.ask("/healthz").status == 200
    except OSError:
        time.sleep(0.02)
        return False


class Load:
    """Four connections that ask without a pause, and leave when they are told to by `connection: close`."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter
        self.failures: list[object] = []
        self.seconds: list[float] = []
        self.versions: set[int] = set()
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(4)]

    @property
    def is_over(self) -> bool:
        return not any(thread.is_alive() for thread in self._threads)

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.counter.port, timeout=5)
        content = body(customer_id=f"customer-{number}", risk_score=0.0)
        while not self._stopped.is_set():
            started = time.monotonic()
            try:
                connection.request("POST", "/v1/score", content, {"content-type": "application/json"})
                reply = connection.getresponse()
                answer = json.loads(reply.read())
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(error)
                return
            if reply.status != 200:
                self.failures.append(Reply(reply.status, answer, {}))
            self.seconds.append(time.monotonic() - started)
            self.versions.add(answer.get("model_version"))
            if reply.headers.get("connection") == "close":
                return
