"""What a dashboard is, and how Grafana writes it (dashboard JSON, schema version 39, Grafana 11)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_COLUMNS = 24
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True)
class Panel:
    """`queries` are pairs of legend and PromQL; a single number where `is_stat`. `bound` is drawn as a line."""

    title: str
    unit: str
    queries: tuple[tuple[str, str], ...]
    says: str = ""
    bound: float | None = None
    is_stat: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        return (6, 4) if self.is_stat else (12, 8)


@dataclass(frozen=True)
class Dashboard:
    name: str
    title: str
    panels: tuple[Panel, ...]


def rendered(dashboard: Dashboard) -> dict[str, Any]:
    return {
        "uid": f"bnpl-{dashboard.name}",
        "title": dashboard.title,
        "tags": ["bnpl"],
        "schemaVersion": 39,
        "timezone": "utc",
        "refresh": "30s",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}]
        },
        "panels": _placed(dashboard.panels),
    }


def _placed(panels: tuple[Panel, ...]) -> list[dict[str, Any]]:
    """From left to right, a new row where the last is full."""
    placed, x, y, height = [], 0, 0, 0
    for number, panel in enumerate(panels, start=1):
        width, rows = panel.size
        if x + width > _COLUMNS or (height and rows != height):
            x, y = 0, y + height
        height = rows
        placed.append(_panel(number, panel, {"h": rows, "w": width, "x": x, "y": y}))
        x += width
    return placed


def _panel(number: int, panel: Panel, place: dict[str, int]) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
    if panel.bound is not None:
        steps.append({"color": "red", "value": panel.bound})
    defaults: dict[str, Any] = {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}}
    if panel.bound is not None and not panel.is_stat:
        defaults["custom"] = {"thresholdsStyle": {"mode": "line"}}
    return {
        "id": number,
        "type": "stat" if panel.is_stat else "timeseries",
        "title": panel.title,
        "description": panel.says,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + position), "datasource": _SOURCE, "expr": query, "legendFormat": legend}
            for position, (legend, query) in enumerate(panel.queries)
        ],
    }
