"""What disasters are played with: a lender, callers who never stop asking, a stop-watch."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter as Counts
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb

from assets.feature_vectors import VECTORS_TABLE
from tests.bnpl_features.scoring.checkout import body
from tests.bnpl_features.scoring.counter import PROGRAM, Counter, Reply
from tests.bnpl_features.store.shop import SECRET, Shop, wait_until

ROOT = Path(__file__).parents[2]
YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
NAMESPACE = "drill"
CUSTOMERS = 2_000


@dataclass(frozen=True)
class Lender:
    """A deployment on this machine: its folder, and the environment that configures it."""

    folder: Path
    variables: Mapping[str, str]

    @property
    def shop(self) -> Shop:
        return Shop(self.variables["REDIS_URL"], NAMESPACE)

    @property
    def warehouse(self) -> Path:
        return self.folder / "warehouse"

    def having(self, **variables: str) -> Lender:
        return replace(self, variables={**self.variables, **variables})

    def run(self, *words: str, code: int = 0) -> str:
        """`bnpl-features` as an operator types it; its output. Another exit code fails the drill."""
        return self._done([str(PROGRAM), *words], code)

    def publish_alone(self, code: int = 0) -> str:
        """As somebody who selects the publication only, in Dagster's UI."""
        words = [YESTERDAY.isoformat(), "--job", "daily_features", "--tags", "{}", "--select", "published_features"]
        home = Path(self.variables["DAGSTER_HOME"])
        home.mkdir(exist_ok=True)
        shutil.copy(ROOT / "dagster.yaml", home)
        return self._done([sys.executable, "-m", "automation.launch", *words], code)

    def _done(self, words: list[str], code: int) -> str:
        environment = {**os.environ, **self.variables}
        done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        return done.stdout + done.stderr

    def publish_day(self, day: date = YESTERDAY) -> None:
        self.run("run", "--partition", day.isoformat())

    def customers(self, day: date = YESTERDAY) -> list[str]:
        files = f"{self.warehouse}/{VECTORS_TABLE.name}/**/*.parquet"
        sql = "SELECT customer_id FROM read_parquet(?) WHERE partition_date = ? ORDER BY 1"
        return [row[0] for row in duckdb.execute(sql, [files, day]).fetchall()]


def simulated(folder: Path, url: str) -> Lender:
    """Purchases of forty days, nothing computed yet."""
    variables = {
        "BNPL_WAREHOUSE_FOLDER": str(folder / "warehouse"),
        "DAGSTER_HOME": str(folder / "dagster"),
        "BNPL_MODEL_FOLDER": str(folder / "models"),
        "REDIS_URL": url,
        "BNPL_NAMESPACE": NAMESPACE,
        "BNPL_CUSTOMER_KEY": SECRET.decode(),
    }
    lender = Lender(folder, variables)
    lender.run("simulate", "--customers", str(CUSTOMERS), "--days", "40")
    return lender


@dataclass
class Asked:
    """What callers saw: (when, what came back) of each prediction."""

    seen: list[tuple[float, Reply]] = field(default_factory=list)

    @property
    def failed(self) -> int:
        return sum(reply.status != 200 for _, reply in self.seen)

    def statuses(self, since: float = 0.0) -> Counts[str]:
        return Counts(reply.json["feature_status"] for at, reply in self.seen if at >= since and reply.status == 200)

    def longest_without(self, status: str) -> float:
        """Seconds between the last answer with the status and the next, at the most."""
        moments = [at for at, reply in self.seen if reply.status == 200 and reply.json["feature_status"] == status]
        return max((after - before for before, after in pairwise(moments)), default=0.0)

    def last(self, **wanted: Any) -> float:
        """When an answer last had these fields; 0 for never."""
        return max((at for at, reply in self.seen if wanted.items() <= dict(reply.json).items()), default=0.0)


@contextmanager
def asked(counter: Counter, customer: str, pause_seconds: float = 0.02, **headers: str) -> Iterator[Asked]:
    """A caller who asks for predictions as long as the block runs."""
    ended = threading.Event()
    found = Asked()

    def ask() -> None:
        while not ended.wait(pause_seconds):
            try:
                reply = counter.ask("/v1/score", body(customer_id=customer), **headers)
            except OSError as error:
                reply = Reply(0, {"detail": str(error)}, {})
            found.seen.append((time.monotonic(), reply))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


@dataclass
class StopWatch:
    """The drill's figures, printed at its end."""

    drill: str
    figures: dict[str, str] = field(default_factory=dict)
    _at: float = field(default_factory=time.monotonic)

    def lap(self, what: str) -> float:
        """Seconds since the last lap, or the beginning."""
        now = time.monotonic()
        seconds, self._at = now - self._at, now
        self.note(what, f"{seconds:.1f} s")
        return seconds

    def start(self) -> None:
        """What came before is no part of the drill."""
        self._at = time.monotonic()

    def note(self, what: str, figure: object) -> None:
        self.figures[what] = str(figure)

    def told(self) -> None:
        print(f"\n{self.drill}")
        for what, figure in self.figures.items():
            print(f"  {what}: {figure}")


def is_fresh(counter: Counter, customer: str) -> bool:
    reply = counter.ask("/v1/score", body(customer_id=customer))
    return reply.status == 200 and bool(reply.json["feature_status"] == "fresh")


def await_fresh(counter: Counter, customer: str, seconds: float = 20.0) -> None:
    wait_until(lambda: is_fresh(counter, customer), "features are fresh", seconds)


def predictions_of(counter: Counter, version: int) -> list[dict[str, Any]]:
    """The logged predictions that were made with a version of the features."""
    return [one for one in counter.logged() if one["feature_version"] == version]
