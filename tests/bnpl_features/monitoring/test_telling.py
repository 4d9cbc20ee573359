"""How what a job knows reaches Prometheus."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bnpl_features.errors import MetricsNotTold
from bnpl_features.monitoring.publication import publication_families
from bnpl_features.monitoring.runs import run_families
from bnpl_features.monitoring.telling import Destinations, tell
from bnpl_features.store.keyspace import FIELD_BYTES
from tests.bnpl_features.store.shop import LAYOUT, Shop
from tests.monitors import node_exporter, pushgateway

NAME = LAYOUT.feature_set


def samples(text: str) -> dict[str, float]:
    """Values by name and labels."""
    return {
        f"{sample.name} {' '.join(sample.labels.values())}".strip(): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scraped(url: str) -> dict[str, float]:
    with urllib.request.urlopen(url, timeout=5) as found:
        return samples(found.read().decode())


def test_a_publication_is_told_in_a_textfile_that_node_exporter_reads(shop: Shop, tmp_path: Path) -> None:
    publication = shop.publish(120)

    tell(Destinations(tmp_path), "publication", publication_families(publication))

    with node_exporter(tmp_path) as address:
        found = scraped(f"http://{address}/metrics")
    assert found["node_textfile_scrape_error"] == 0
    assert found[f"bnpl_publication_customers {NAME}"] == 120
    assert found[f"bnpl_publication_bytes {NAME}"] == 120 * (FIELD_BYTES + LAYOUT.width_bytes)
    assert found[f"bnpl_publication_seconds {NAME}"] == publication.total_seconds
    assert found[f"bnpl_publication_step_seconds {NAME} activate"] == publication.seconds["activate"]
    saturated = {name: found[f"bnpl_publication_saturated_values {name} {NAME}"] for name in LAYOUT.names}
    assert {name: count for name, count in saturated.items() if count} == publication.manifest.saturated


def test_telling_again_replaces_the_subject_and_leaves_the_others_alone(tmp_path: Path) -> None:
    tell(Destinations(tmp_path), "run_a", run_families("a", failed=True))
    tell(Destinations(tmp_path), "run_b", run_families("b", failed=True))

    tell(Destinations(tmp_path), "run_a", run_families("a", failed=False))

    assert sorted(file.name for file in tmp_path.iterdir()) == ["bnpl_run_a.prom", "bnpl_run_b.prom"]
    assert samples((tmp_path / "bnpl_run_a.prom").read_text())["bnpl_run_failed a"] == 0
    assert samples((tmp_path / "bnpl_run_b.prom").read_text())["bnpl_run_failed b"] == 1


def test_a_pushgateway_keeps_what_the_job_pushed_last() -> None:
    with pushgateway() as url:
        for failed in (False, True):
            tell(Destinations(pushgateway_url=url), "run_a", run_families("a", failed=failed))

        found = scraped(f"{url}/metrics")

    [key] = [key for key in found if key.startswith("bnpl_run_failed")]
    assert "bnpl_run_a" in key
    assert found[key] == 1


def test_what_cannot_be_told_says_which_setting_to_look_at(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(MetricsNotTold, match=r"run_a were not told.*monitoring\.textfile_folder"):
        tell(Destinations(tmp_path / "file"), "run_a", run_families("a", failed=False))
    with pytest.raises(MetricsNotTold, match=r"monitoring\.pushgateway_url"):
        tell(Destinations(pushgateway_url="http://127.0.0.1:1"), "run_a", run_families("a", failed=False))


def test_nothing_is_told_where_no_place_is_configured() -> None:
    tell(Destinations(), "run_a", run_families("a", failed=False))
