"""What leaves a machine unencrypted is named, and what is encrypted or stays here is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from bnpl_features.settings import load_settings
from bnpl_features.transport import unencrypted

OPEN = {
    "store.url": {"REDIS_URL": "redis+cluster://:secret@10.0.0.1:6379,10.0.0.2:6379"},
    "model.registry_url": {"BNPL_MODEL_REGISTRY_URL": "postgresql://user:secret@db.internal/mlflow"},
    "monitoring.pushgateway_url": {"BNPL_PUSHGATEWAY_URL": "gateway.internal:9091"},
    "monitoring.traces_endpoint": {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector.internal:4318/v1/traces"},
    "alerts.webhook_url": {"BNPL_ALERTS_WEBHOOK_URL": "http://hooks.internal/T0"},
    "alerts.mail_security": {"BNPL_ALERTS_MAIL_HOST": "smtp.internal", "BNPL_ALERTS_MAIL_SECURITY": "none"},
    "scoring.certificate_file": {"BNPL_SCORING_HOST": "0.0.0.0"},
    "streaming.metrics_certificate_file": {"BNPL_STREAMING_METRICS_PORT": "9102"},
    "streaming.url": {"BNPL_STREAMING_SOURCE": "kafka", "BNPL_STREAMING_URL": "127.0.0.1:9092,kafka-2:9092"},
    "warehouse.api_endpoint": {"BNPL_BIGQUERY_API_ENDPOINT": "http://emulator.internal:9050"},
}
SAFE = [
    {},
    {"REDIS_URL": "rediss://10.0.0.1:6379"},
    {"REDIS_URL": "redis://localhost:6379/0"},
    {"REDIS_URL": "unix:///run/redis.sock"},
    {"REDIS_URL": "not an address"},
    {"BNPL_MODEL_REGISTRY_URL": "https://mlflow.internal"},
    {"BNPL_MODEL_REGISTRY_URL": "postgresql://db.internal/mlflow?sslmode=verify-full"},
    {"BNPL_MODEL_REGISTRY_URL": "sqlite:////var/lib/mlflow.db"},
    {"BNPL_PUSHGATEWAY_URL": "127.0.0.1:9091"},
    {"BNPL_ALERTS_MAIL_HOST": "smtp.internal"},
    {"BNPL_SCORING_HOST": "0.0.0.0", "BNPL_SCORING_CERTIFICATE_FILE": "cert.pem"},
    {"BNPL_STREAMING_SOURCE": "kafka", "BNPL_STREAMING_URL": "kafka-1:9093?security.protocol=SASL_SSL"},
    {"BNPL_STREAMING_SOURCE": "pubsub", "BNPL_STREAMING_URL": "projects/P/subscriptions/S"},
]


@pytest.mark.parametrize("name", OPEN)
def test_an_open_connection_is_named(name: str, tmp_path: Path) -> None:
    assert list(unencrypted(load_settings(OPEN[name], tmp_path))) == [name]


@pytest.mark.parametrize("variables", SAFE, ids=str)
def test_an_encrypted_or_local_one_is_not(variables: dict[str, str], tmp_path: Path) -> None:
    assert list(unencrypted(load_settings(variables, tmp_path))) == []
