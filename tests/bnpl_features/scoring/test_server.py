"""A service process, a Valkey and real models: what a checkout and an operator may expect."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import time
from pathlib import Path

import pytest

from bnpl_features.scoring.experiments.definition import Arm, Request, start, stop
from bnpl_features.scoring.experiments.shelf import StoreShelf, change
from bnpl_features.scoring.keys import new_key
from tests.bnpl_features.scoring.checkout import body, purchase
from tests.bnpl_features.scoring.conftest import YESTERDAY
from tests.bnpl_features.scoring.counter import Counter, Load, running, serve_models
from tests.bnpl_features.store.shop import Shop, free_port, mortal_server, new_shop, wait_until


def test_known_customer_is_scored_by_the_behavioural_model_with_fresh_features(counter: Counter) -> None:
    prediction = counter.score(customer_id="customer-1")

    assert prediction["model"] == "behavioural"
    assert prediction["feature_status"] == "fresh"
    assert prediction["fallback"] is None
    assert 0.0 < prediction["probability"] < 1.0


def test_unknown_customer_falls_back_and_is_marked_and_counted(counter: Counter) -> None:
    prediction = counter.score(customer_id="nobody")

    assert (prediction["model"], prediction["fallback"]) == ("transaction_only", "unknown_customer")
    assert counter.metric('bnpl_predictions_total{model="transaction_only"') >= 1


def test_declined_purchase_has_at_most_four_reasons_and_an_approved_one_none(counter: Counter) -> None:
    declined = counter.score(risk_score=1.0, customer_id="nobody")
    approved = counter.score(risk_score=0.0, customer_id="nobody")

    assert declined["decision"] != "approve"
    assert 1 <= len(declined["reasons"]) <= 4
    assert approved["decision"] == "approve"
    assert approved["reasons"] == []


def test_reasons_are_given_for_all_purchases_where_asked_for(counter: Counter) -> None:
    reply = counter.ask("/v1/score?reasons=all", body(risk_score=0.0, customer_id="nobody"))

    assert reply.json["decision"] == "approve"
    assert reply.json["reasons"]


def test_batch_is_answered_in_order_from_one_version(counter: Counter) -> None:
    purchases = [purchase(customer_id=f"customer-{n}", transaction_id=f"t{n}") for n in range(100)]

    reply = counter.ask("/v1/score/batch", json.dumps({"purchases": purchases}).encode())

    found = reply.json["predictions"]
    assert [one["transaction_id"] for one in found] == [f"t{n}" for n in range(100)]
    assert len({one["feature_version"] for one in found}) == 1
    assert len({one["request_id"] for one in found}) == 100


@pytest.mark.parametrize(
    ("content", "status", "field"),
    [
        (body(amount=None), 422, "amount"),
        (body(amount=-1), 422, "amount"),
        (body(amount="12"), 422, "amount"),
        (body(amount=1e300), 422, "amount"),
        (body(device_type="fridge"), 422, "device_type"),
        (body(transaction_timestamp="2026-11-25T10:15:00"), 422, "transaction_timestamp"),
        (body(transaction_timestamp="9999-12-31T23:59:59-23:00"), 422, "transaction_timestamp"),
        (body(transaction_timestamp="0001-01-01T01:00:00+03:07"), 422, "transaction_timestamp"),
        (body(will_default=True), 422, "will_default"),
        (body(ammount=5), 422, "ammount"),
        (body(installment_count=2**70), 422, "installment_count"),
        (b"", 400, ""),
        (b"{", 400, ""),
        (b"\xff\xfe", 400, ""),
        (b"[" * 100_000, 422, ""),
        (b'{"amount":' * 100_000, 422, "amount"),
        (b'{"customer_id": "\\ud800"', 400, ""),
        (b"null", 422, ""),
        (body(customer_id="\u0000'; DROP TABLE customers"), 200, ""),
        (body(customer_id="x" * 257), 422, "customer_id"),
    ],
)
def test_hostile_body_is_answered_with_its_field(counter: Counter, content: bytes, status: int, field: str) -> None:
    reply = counter.ask("/v1/score", content)

    assert reply.status == status, reply
    assert reply.json.get("field", "") == field
    assert "customer-1" not in json.dumps(reply.json)


def test_field_of_a_batch_is_named_with_its_position(counter: Counter) -> None:
    content = json.dumps({"purchases": [purchase(), purchase(amount=-3)]}).encode()

    reply = counter.ask("/v1/score/batch", content)

    assert (reply.status, reply.json["field"]) == (422, "purchases[1].amount")


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        ("/v1/score", b"x" * 1_100_000, 413),
        ("/v1/score/batch", json.dumps({"purchases": [purchase()] * 501}).encode(), 413),
        ("/v1/score/batch", b'{"purchases": []}', 422),
        ("/v1/score", None, 405),
        ("/v2/score", b"{}", 404),
    ],
)
def test_limits_and_wrong_paths_are_refused(counter: Counter, path: str, content: bytes | None, status: int) -> None:
    assert counter.ask(path, content).status == status


def test_request_id_comes_back_and_a_malformed_one_is_refused(counter: Counter) -> None:
    reply = counter.ask("/v1/score", body(), x_request_id="order-17")

    assert reply.json["request_id"] == reply.headers["x-request-id"] == "order-17"
    assert counter.ask("/v1/score", body(), x_request_id="a b").status == 400


def test_a_body_in_many_pieces_without_a_length_is_read(counter: Counter) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", counter.port, timeout=5)
    content = body()
    pieces = iter([content[i : i + 50] for i in range(0, len(content), 50)])

    connection.request("POST", "/v1/score", pieces, {"content-type": "application/json"}, encode_chunked=True)

    assert connection.getresponse().status == 200
    connection.close()


def test_endless_body_is_cut_off_at_the_limit(counter: Counter) -> None:
    with socket.create_connection(("127.0.0.1", counter.port), timeout=5) as slow:
        slow.sendall(b"POST /v1/score HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        piece = b"10000\r\n" + b" " * 65_536 + b"\r\n"
        try:
            for _ in range(100):
                slow.sendall(piece)
            answer = slow.recv(100)
        except OSError:
            return  # closed while sending

    assert b"413" in answer


def test_garbage_in_place_of_http_ends_the_connection_and_nothing_else(counter: Counter) -> None:
    with socket.create_connection(("127.0.0.1", counter.port), timeout=5) as garbage:
        garbage.sendall(b"\x16\x03\x01 not http at all\r\n\r\n")
        assert b"400" in garbage.recv(100)

    assert counter.score()["decision"]


def test_request_that_never_comes_whole_is_closed(shop: Shop, folder: Path) -> None:
    with running(folder, shop.url, shop.namespace, request_seconds=0.3) as counter:
        with socket.create_connection(("127.0.0.1", counter.port), timeout=5) as slow:
            slow.sendall(b"POST /v1/score HTTP/1.1\r\ncontent-le")
            assert slow.recv(100) == b""

        assert counter.metric("bnpl_requests_timed_out_total") == 1


def test_every_prediction_is_logged_without_the_customer_id(shop: Shop, folder: Path) -> None:
    with running(folder, shop.url, shop.namespace) as counter:
        asked = [counter.score(customer_id=f"customer-{n}")["request_id"] for n in range(20)]
        assert counter.stop() == 0

    logged = counter.logged()
    assert [one["request_id"] for one in logged] == asked
    assert "customer-1" not in json.dumps(logged)
    assert "customer-1" not in counter.log
    assert len({one["customer_digest"] for one in logged}) == 20


def test_service_starts_and_scores_with_the_store_down_and_recovers(folder: Path) -> None:
    port = free_port()
    with running(folder, f"redis://127.0.0.1:{port}/0", "late") as counter:
        before = counter.score()
        with mortal_server(folder / "valkey", port):
            late = new_shop(f"redis://127.0.0.1:{port}/0")
            Shop(late.url, "late").publish(50, YESTERDAY)
            wait_until(lambda: counter.score()["feature_status"] == "fresh", "features are fresh")
        wait_until(lambda: counter.score()["fallback"] == "unavailable", "the store is gone again")

    assert (before["model"], before["fallback"]) == ("transaction_only", "unavailable")


def test_stale_features_are_used_where_the_policy_says_so(stocked: Shop, folder: Path) -> None:
    shop = new_shop(stocked.url)
    shop.publish(50)  # a partition of 2024
    with running(folder, shop.url, shop.namespace, on_stale="behavioural", on_unknown_customer="refuse") as counter:
        stale, refused = counter.score(), counter.score(customer_id="nobody")

    assert (stale["feature_status"], stale["model"], stale["fallback"]) == ("stale", "behavioural", None)
    assert (refused["decision"], refused["probability"], refused["fallback"]) == ("review", None, "refused")


def test_without_a_model_the_service_lives_but_is_not_ready(shop: Shop, folder: Path) -> None:
    with running(folder, shop.url, shop.namespace, models=()) as counter:
        assert counter.ask("/readyz").status == 503
        assert counter.ask("/v1/score", body()).status == 503
        serve_models(counter.models, 1)
        wait_until(lambda: counter.ask("/readyz").status == 200, "the model is picked up")

        assert counter.score()["model_version"] == 1


def test_model_is_swapped_under_load_without_a_failed_or_slow_request(shop: Shop, folder: Path) -> None:
    with running(folder, shop.url, shop.namespace) as counter, Load(counter) as load:
        for version in (2, 3, 1):
            serve_models(counter.models, version)
            wait_until(lambda v=version: counter.score()["model_version"] == v, "the swap")  # type: ignore[misc]

    assert load.failures == []
    assert {1, 2, 3} <= load.versions
    assert sorted(load.seconds)[int(len(load.seconds) * 0.99)] < 0.1


def test_damaged_model_is_not_swapped_in(shop: Shop, folder: Path) -> None:
    with running(folder, shop.url, shop.namespace) as counter:
        serve_models(counter.models / "elsewhere", 2)
        broken = counter.models / "behavioural-2"
        (counter.models / "elsewhere" / "behavioural-2").rename(broken)
        (broken / "model.txt").write_text("not a model")
        (counter.models / "elsewhere" / "active.json").rename(counter.models / "active.json")
        wait_until(lambda: counter.metric('bnpl_change_failures_total{what="models"') > 0, "the failure is counted")

        assert counter.score()["model_version"] == 1
        assert "behavioural-2" in counter.log


def test_api_keys_are_required_and_rotated_without_a_restart(shop: Shop, folder: Path) -> None:
    folder.mkdir()
    file = folder / "keys.txt"
    (old, old_line), (new, new_line) = new_key("checkout"), new_key("checkout-2")
    file.write_text(f"# callers\n{old_line}\n")
    with running(folder, shop.url, shop.namespace, keys_file=file) as counter:

        def status(key: str) -> int:
            return counter.ask("/v1/score", body(), authorization=f"Bearer {key}").status

        assert counter.ask("/v1/score", body()).status == 401
        assert (status(old), status(new), status("")) == (200, 401, 401)
        assert counter.ask("/healthz").status == 200
        file.write_text(f"{old_line}\n{new_line}\n")
        wait_until(lambda: status(new) == 200, "the new key counts")
        assert status(old) == 200
        file.write_text(f"{new_line}\n")
        wait_until(lambda: status(old) == 401, "the old key counts no more")
        file.write_text("broken\n")
        wait_until(lambda: counter.metric('bnpl_change_failures_total{what="API keys"') > 0, "the failure is counted")
        assert status(new) == 200
        assert new not in counter.log


def test_service_without_keys_refuses_to_listen_to_the_world(shop: Shop, folder: Path) -> None:
    with (
        pytest.raises(AssertionError, match="without API keys"),
        running(folder, shop.url, shop.namespace, host="0.0.0.0"),
    ):
        pass


def test_graceful_end_answers_all_requests_and_logs_them(shop: Shop, folder: Path) -> None:
    with running(folder, shop.url, shop.namespace, drain_seconds=1) as counter:
        with Load(counter) as load:
            time.sleep(0.5)
            counter.process.send_signal(signal.SIGTERM)
            wait_until(lambda: load.is_over, "every connection was closed with an answer")
        assert counter.process.wait(timeout=10) == 0

    assert load.failures == []
    assert len(counter.logged()) == len(load.seconds)


def test_killed_service_starts_again_with_what_it_had(shop: Shop, folder: Path) -> None:
    shelf = StoreShelf(shop.client, shop.keyspace)
    with running(folder, shop.url, shop.namespace, models=(1, 2)) as counter:
        _start(shelf, Request("trial", ((Arm("champion"), 0.5), (Arm("new", "behavioural", 2), 0.5))))
        wait_until(lambda: counter.score()["experiment"] == "trial", "the experiment is picked up")
        arms = [counter.score(customer_id=f"customer-{n}")["arm"] for n in range(30)]
        counter.stop(signal.SIGKILL)
    with running(folder, f"redis://127.0.0.1:{free_port()}/0", shop.namespace, models=(1, 2)) as counter:
        again = [counter.score(customer_id=f"customer-{n}") for n in range(30)]

    assert [one["arm"] for one in again] == arms  # the store is down: from what was kept
    assert {one["fallback"] for one in again} == {"unavailable"}


def test_experiment_starts_and_stops_without_a_restart(shop: Shop, folder: Path) -> None:
    shelf = StoreShelf(shop.client, shop.keyspace)
    with running(folder, shop.url, shop.namespace, models=(1, 2)) as counter:
        arms = ((Arm("champion"), 0.5), (Arm("new", "behavioural", 2), 0.5))
        _start(shelf, Request("trial", arms, (Arm("watcher", "behavioural", 2),)))
        wait_until(lambda: counter.score()["experiment"] == "trial", "the experiment is picked up")
        found = [counter.score(customer_id=f"customer-{n}") for n in range(60)]
        wait_until(lambda: counter.metric('bnpl_shadow_total{outcome="scored"') >= 60, "the shadow has scored")
        change(shelf, lambda all_: stop(all_, "trial", now=2.0, because="test"), act="stop", actor="t", reason="r")
        wait_until(lambda: counter.score()["experiment"] is None, "the stop is picked up")
        counter.stop()

    versions = {one["arm"]: one["model_version"] for one in found}
    assert versions == {"champion": 1, "new": 2}
    shadows = [one for one in counter.logged() if one["is_shadow"]]
    assert {one["arm"] for one in shadows} == {"watcher"}
    assert {one["request_id"] for one in shadows} <= {one["request_id"] for one in counter.logged()}


def _start(shelf: StoreShelf, request: Request) -> None:
    change(
        shelf,
        lambda all_: start(all_, request, salt="s", now=1.0, actor="tester", reason="test"),
        act="start",
        actor="tester",
        reason="test",
    )
