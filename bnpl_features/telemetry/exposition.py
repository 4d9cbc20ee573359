"""Families of metrics -> Prometheus's text format 0.0.4."""

from __future__ import annotations

from collections.abc import Iterable

from bnpl_features.telemetry.metric import Family, Sample

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


def exposition(families: Iterable[Family]) -> bytes:
    lines = []
    for family in families:
        metric = family.metric
        lines += [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}"]
        lines += [_line(metric.name, sample) for sample in family.samples]
    return ("\n".join(lines) + "\n").encode()


def _line(name: str, sample: Sample) -> str:
    shown = ",".join(f'{label}="{_escaped(value)}"' for label, value in sample.labels)
    # repr keeps every digit: with six of them a counter over a million would stand still between two scrapes.
    return f"{name}{sample.suffix}{'{' + shown + '}' if shown else ''} {float(sample.value)!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
