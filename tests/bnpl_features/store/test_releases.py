"""Across releases: what an earlier one published is read, and what is published now is what an earlier one reads.

`golden/5d2a987.json` are the keys and answers of that commit's release, recorded with `release.py record`; it holds
where the history is not at hand. Where it is, earlier releases run as they were.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from bnpl_features.derive.layout import Layout, layout_of
from bnpl_features.features.catalog import BEHAVIOURAL
from bnpl_features.risk_model.model import Model
from bnpl_features.risk_model.model_files import write_model
from bnpl_features.store.erasure import erase
from bnpl_features.store.keyspace import CustomerKey
from bnpl_features.store.manifest import Manifest, Provenance
from bnpl_features.store.publisher import publish
from bnpl_features.store.reading.lookup import Status
from bnpl_features.store.switching import roll_back
from tests.bnpl_features.scoring.checkout import model, purchase
from tests.bnpl_features.store import release
from tests.bnpl_features.store.shop import BY, Shop, wait_until

GOLDEN = json.loads((Path(__file__).parent / "golden" / "5d2a987.json").read_text())
ROOT = Path(__file__).parents[3]
FIRST_STORE, LAST_OF_ONE_SET = "5d2a987", "7f633c6"
"""The release whose store was the first that others read, and the last one that knew a single set (and has models)."""


def test_what_an_earlier_release_published_is_read_bit_for_bit(shop: Shop) -> None:
    release.restore(shop.url, GOLDEN["keys"], "golden", shop.namespace)

    with release.open_reader(shop.url, shop.namespace) as reader:
        assert release.answers(reader) == GOLDEN["answers"]


def test_what_is_published_now_has_every_byte_that_an_earlier_release_looks_at(shop: Shop) -> None:
    release.publish_sample(shop.url, shop.namespace)
    publish_next_set(shop)

    now = release.stored(shop.url, shop.namespace)
    for name, (kind, content) in GOLDEN["keys"].items():
        found_kind, found = now[name.replace("golden", shop.namespace, 1)]
        assert found_kind == kind
        if ":manifest:" in name:
            assert _described(found) == _described(content)
        elif not name.endswith((":states", ":version", ":versions")):  # these are not read to serve a customer
            assert found == content, name


def test_a_namespace_of_an_earlier_release_takes_another_set_and_goes_on(shop: Shop) -> None:
    release.restore(shop.url, GOLDEN["keys"], "golden", shop.namespace)

    next_set = publish_next_set(shop)
    release.publish_sample(shop.url, shop.namespace)

    assert (next_set, shop.active()) == (2, 3)


@pytest.mark.parametrize("commit", [FIRST_STORE, LAST_OF_ONE_SET])
def test_an_earlier_release_reads_on_while_another_set_rolls_out(commit: str, shop: Shop, tmp_path: Path) -> None:
    release.publish_sample(shop.url, shop.namespace)
    with running_release(sources_of(commit, tmp_path), shop) as ask:
        before = ask()
        publish_next_set(shop, seed=8)
        while_both_are_served = ask()
        release.publish_sample(shop.url, shop.namespace)
        wait_until(lambda: ask()["version"] == 3, "the earlier release hears of the next version of its set")
        after = ask()

    assert before["answers"] == while_both_are_served["answers"] == after["answers"] == GOLDEN["answers"]


def test_a_model_of_an_earlier_release_scores_on_bit_for_bit(shop: Shop, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    trained: Model = model()
    write_model(trained, folder)
    (folder / "purchase.json").write_text(json.dumps(purchase()))
    release.publish_sample(shop.url, shop.namespace)

    with running_release(sources_of(LAST_OF_ONE_SET, tmp_path), shop, str(folder)) as ask:
        before = ask()
        publish_next_set(shop, seed=8)
        while_both_are_served = ask()

    with release.open_reader(shop.url, shop.namespace) as reader:
        now = release.answers(reader, str(folder))
    assert before["answers"] == while_both_are_served["answers"] == now
    assert len({one["score"] for one in now}) > 10


@pytest.mark.parametrize("commit", [LAST_OF_ONE_SET])
def test_releases_that_roll_over_and_back_serve_and_read_one_namespace_together(
    commit: str, shop: Shop, tmp_path: Path
) -> None:
    """Publisher and readers are upgraded one after the other, in either order, and go back; nobody stops for it."""
    sources = sources_of(commit, tmp_path)
    ended, wrong, counts = threading.Event(), [], Counter[int]()
    publish_with(sources, shop)

    def read_on() -> None:
        with release.open_reader(shop.url, shop.namespace) as reader:
            while not ended.is_set():
                found = release.answers(reader)
                counts[reader.served.manifest.version if reader.served else 0] += 1
                wrong.extend(one for one in [found] if one != GOLDEN["answers"])

    thread = threading.Thread(target=read_on)
    with running_release(sources, shop) as ask_the_earlier:
        thread.start()
        try:
            seen = [ask_the_earlier()]
            release.publish_sample(shop.url, shop.namespace)  # the publisher is upgraded
            seen.append(served_by_both(ask_the_earlier, counts, 2))
            publish_with(sources, shop)  # and goes back
            seen.append(served_by_both(ask_the_earlier, counts, 3))
            roll_back(shop.client, shop.keyspace, 2, **BY)  # to what the later release published
            seen.append(served_by_both(ask_the_earlier, counts, 2))
            release.publish_sample(shop.url, shop.namespace)  # upgraded again
            seen.append(served_by_both(ask_the_earlier, counts, 4))
        finally:
            ended.set()
            thread.join()

    assert [one["version"] for one in seen] == [1, 2, 3, 2, 4]
    assert all(one["answers"] == GOLDEN["answers"] for one in seen)
    assert wrong == []
    assert sum(counts.values()) > 50


@pytest.mark.parametrize("commit", [FIRST_STORE, LAST_OF_ONE_SET])
def test_an_erasure_holds_when_the_publisher_goes_back_to_an_earlier_release(
    commit: str, shop: Shop, tmp_path: Path
) -> None:
    release.publish_sample(shop.url, shop.namespace)
    erased = release.IDS[3]
    erase(shop.client, shop.keyspace, [CustomerKey(release.SECRET)], erased, **BY)

    publish_with(sources_of(commit, tmp_path), shop)

    with release.open_reader(shop.url, shop.namespace) as reader:
        assert reader.get(erased).status is Status.UNKNOWN_CUSTOMER
        assert reader.get(release.IDS[4]).version == 2


def publish_with(sources: Path, shop: Shop) -> None:
    """As the release whose sources these are publishes."""
    program = shutil.copy(release.__file__, sources.parent / "release.py")
    words = [sys.executable, str(program), "record", shop.url, shop.namespace]
    environment = {**os.environ, "PYTHONPATH": str(sources)}
    done = subprocess.run(words, cwd=sources, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def served_by_both(ask: Any, counts: Counter[int], version: int) -> Any:
    """What the earlier release reads once both have followed; `counts` are the later one's answers by version."""
    before = counts[version]
    wait_until(lambda: counts[version] > before + 2, f"this release reads version {version}")
    wait_until(lambda: ask()["version"] == version, f"the earlier release reads version {version}")
    return ask()


def publish_next_set(shop: Shop, seed: int = 7) -> int:
    """A set without the first set's first feature, with values of its own; returns its version."""
    layout = Layout("behavioural@99", layout_of(BEHAVIOURAL).fields[1:])
    publication = publish(
        shop.target,
        layout,
        [release.sample(layout.fields, seed)],
        partition=release.PARTITION + timedelta(days=1),
        customers=release.CUSTOMERS,
        provenance=Provenance(run_id="golden", actor="tester"),
    )
    return publication.manifest.version


@contextmanager
def running_release(sources: Path, shop: Shop, *words: str) -> Iterator[Any]:
    """A reader of an earlier release in a process of its own: a function that returns what it reads now."""
    program = shutil.copy(release.__file__, sources.parent / "release.py")
    process = subprocess.Popen(
        [sys.executable, str(program), "read", shop.url, shop.namespace, *words],
        cwd=sources,
        env={**os.environ, "PYTHONPATH": str(sources)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def ask() -> Any:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n")
        process.stdin.flush()
        found = json.loads(process.stdout.readline())
        assert found["sources"].startswith(str(sources))
        return found

    try:
        yield ask
    finally:
        process.stdin.close()
        process.wait(timeout=20)
        process.stdout.close()


def sources_of(commit: str, folder: Path) -> Path:
    """The library as it was; skips where the history does not go back so far."""
    found = subprocess.run(["git", "archive", commit, "bnpl_features"], cwd=ROOT, capture_output=True, check=False)
    if found.returncode:
        pytest.skip(f"commit {commit} is not in this clone's history: fetch all of it to run the earlier release")
    sources = folder / commit / "sources"
    with tarfile.open(fileobj=BytesIO(found.stdout)) as archive:
        archive.extractall(sources, filter="data")
    return sources


def _described(content: str) -> Manifest:
    """A manifest, but for when it was made."""
    return replace(Manifest.from_json(base64.b64decode(content)), created_at="")
