"""What the service counts, and how Prometheus reads it."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping

BOUNDS_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0)
"""Upper bounds of the latency histogram; the last bucket has none."""

Labels = tuple[tuple[str, str], ...]
Sample = tuple[Labels, float]


class Measures:
    """Counts since the start; only the event loop adds to them."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self.predictions: Counter[tuple[str, str, str, str, str]] = Counter()
        self.deprecated: Counter[str] = Counter()
        self.late_reasons = 0
        self.timed_out = 0
        self.buckets = [0] * (len(BOUNDS_SECONDS) + 1)
        self.seconds = 0.0

    def answered(self, path: str, status: int, seconds: float) -> None:
        self.requests[path, status] += 1
        self.buckets[bisect_left(BOUNDS_SECONDS, seconds)] += 1
        self.seconds += seconds


def exposition(families: Iterable[tuple[str, str, str, Iterable[Sample]]]) -> bytes:
    """Prometheus's text format of (name, type, help, samples); a histogram's samples come with their suffixes."""
    lines = []
    for name, kind, text, samples in families:
        lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
        for labels, value in samples:
            suffix = next((text for key, text in labels if key == "__suffix__"), "")
            shown = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels if key != "__suffix__")
            # In full: of six digits a counter over a million would stand still between scrapes.
            lines.append(f"{name}{suffix}{{{shown}}} {value!r}" if shown else f"{name}{suffix} {value!r}")
    return ("\n".join(lines) + "\n").encode()


def histogram(bounds: Iterable[float], buckets: list[int], seconds: float, labels: Labels = ()) -> list[Sample]:
    """The samples of one histogram: buckets are counts of their own, and become cumulative."""
    samples: list[Sample] = []
    total = 0
    for bound, count in zip([*(f"{bound:g}" for bound in bounds), "+Inf"], buckets, strict=True):
        total += count
        samples.append(((*labels, ("le", bound), ("__suffix__", "_bucket")), total))
    samples.append(((*labels, ("__suffix__", "_sum")), seconds))
    samples.append(((*labels, ("__suffix__", "_count")), total))
    return samples


def counted(names: tuple[str, ...], counts: Mapping[tuple[object, ...], int]) -> list[Sample]:
    """One sample a key, whose parts are the labels' values."""
    return [
        (tuple(zip(names, map(str, key), strict=True)), count)
        for key, count in sorted(counts.items(), key=lambda one: str(one[0]))
    ]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
