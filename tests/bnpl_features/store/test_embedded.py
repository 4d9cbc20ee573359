"""The embedded server runs for as long as anybody is inside the block, and keeps its data for the next time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import redis

from bnpl_features.errors import StoreUnavailable
from bnpl_features.store.embedded import embedded_store


def test_data_outlives_the_server(tmp_path: Path) -> None:
    with embedded_store(tmp_path) as url:
        redis.Redis.from_url(url).set("key", "value")

    with embedded_store(tmp_path) as url:
        assert redis.Redis.from_url(url).get("key") == b"value"


def test_the_server_is_gone_after_the_block(tmp_path: Path) -> None:
    with embedded_store(tmp_path) as url:
        pid = process_of(url)

    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_one_process_may_open_the_store_twice(tmp_path: Path) -> None:
    with embedded_store(tmp_path) as outer:
        with embedded_store(tmp_path) as inner:
            assert inner == outer
        assert redis.Redis.from_url(outer).ping()


def test_threads_may_open_the_store_at_once(tmp_path: Path) -> None:
    urls: list[str] = []
    all_in = threading.Barrier(4, timeout=20)

    def use() -> None:
        with embedded_store(tmp_path) as url:
            urls.append(url)
            all_in.wait()

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(urls) == 4
    assert len(set(urls)) == 1


def test_the_server_stays_for_another_process_that_uses_it(tmp_path: Path) -> None:
    user = (
        "import sys; from pathlib import Path; from bnpl_features.store.embedded import embedded_store\n"
        "with embedded_store(Path(sys.argv[1])) as url: print(url, flush=True); sys.stdin.read()"
    )
    with embedded_store(tmp_path) as url:
        other = subprocess.Popen(
            [sys.executable, "-c", user, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert other.stdout is not None
        assert other.stdout.readline().decode().strip() == url

    assert redis.Redis.from_url(url).ping()
    pid = process_of(url)
    os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)
    _, _ = other.communicate(b"")
    assert other.returncode == 0


def test_leaving_after_the_server_died_is_no_error_and_the_next_one_starts(tmp_path: Path) -> None:
    with embedded_store(tmp_path) as url:
        pid = process_of(url)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

    with embedded_store(tmp_path) as url:
        assert redis.Redis.from_url(url).ping()


def test_a_dead_servers_port_taken_over_by_another_store_is_not_mistaken_for_it(tmp_path: Path) -> None:
    with embedded_store(tmp_path / "theirs") as theirs:
        (tmp_path / "ours").mkdir()
        (tmp_path / "ours" / "url").write_text(theirs)

        with embedded_store(tmp_path / "ours") as ours:
            assert ours != theirs


def test_options_reach_the_server(tmp_path: Path) -> None:
    with embedded_store(tmp_path, "--maxmemory", "50mb") as url:
        assert redis.Redis.from_url(url).config_get("maxmemory") == {"maxmemory": str(50 * 2**20)}


def test_a_server_that_does_not_start_is_told_with_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(StoreUnavailable, match=r"did not start; its log is .*valkey\.log"),
        embedded_store(tmp_path, "--no-such-option", "1"),
    ):
        pass

    assert "no-such-option" in (tmp_path / "valkey.log").read_text()


def process_of(url: str) -> int:
    return int(redis.Redis.from_url(url).info("server")["process_id"])
