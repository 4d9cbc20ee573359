"""How far features moved, day by day: the heat map of stability indices, from the findings that each day left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from bnpl_features.console.figures.chart import Chart
from bnpl_features.derive.profile import ALL
from bnpl_features.derive.query import Query
from bnpl_features.derive.table import PARTITION_COLUMN
from bnpl_features.drift.findings import INDEX, ROWS, SIGNS, TRAILING, Finding, Severity
from bnpl_features.drift.findings_table import FINDINGS, read_findings
from bnpl_features.drift.subjects import ALL_SUBJECTS, DIVIDED
from bnpl_features.errors import RelationMissing
from bnpl_features.warehouse.warehouse import Warehouse

SHOWN_DAYS = 28
_LABELS = {"asset": "console"}
_RANK = {Severity.STABLE: 0, Severity.WARN: 1, Severity.ERROR: 2}


@dataclass(frozen=True)
class Cell:
    """A feature on a day: its index against the days before, None where it has none; the worst verdict on it by
    itself; signs of a fault, by name."""

    index: float | None
    verdict: Severity
    signs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """A feature's cells, one a day of the map in order; None for a day without findings."""

    subject: str
    feature: str
    cells: tuple[Cell | None, ...]

    @property
    def worst(self) -> tuple[int, float]:
        """To sort by: the worst verdict, then the largest index."""
        held = [cell for cell in self.cells if cell]
        return (
            max((_RANK[cell.verdict] for cell in held), default=0),
            max((cell.index or 0.0 for cell in held), default=0.0),
        )


@dataclass(frozen=True)
class HeatMap:
    """`rows` by subject, in the order of the declarations; `days` are those that have findings, oldest first."""

    days: tuple[date, ...]
    rows: tuple[Row, ...]

    @property
    def moved(self) -> tuple[Row, ...]:
        """The rows with a warning or an error, the worst first."""
        return tuple(sorted((one for one in self.rows if one.worst[0]), key=lambda one: one.worst, reverse=True))


def heat_map(
    warehouse: Warehouse, last: date | None = None, days: int = SHOWN_DAYS, subject: str = "", reference: str = TRAILING
) -> HeatMap:
    """The `days` up to `last` (default: the newest with findings), against one reference; of one subject, or of all.

    Empty before the first report. Raises as `Warehouse.read` does.
    """
    end = last or newest_findings(warehouse)
    if end is None:
        return HeatMap((), ())
    first = end - timedelta(days=days - 1)
    indices = read_findings(warehouse, first, end, _LABELS, subject=subject, segment=ALL, measure=INDEX)
    faults = read_findings(warehouse, first, end, _LABELS, subject=subject, segment=ALL, verdict=Severity.ERROR)
    shown = tuple(indices)
    by_feature: dict[tuple[str, str], dict[date, Cell]] = {}
    for day in shown:
        signs = _signs(faults.get(day, ()))
        for (name, feature), cell in _cells(indices[day], signs, reference).items():
            by_feature.setdefault((name, feature), {})[day] = cell
    rows = [
        Row(name, feature, tuple(of_day.get(day) for day in shown)) for (name, feature), of_day in by_feature.items()
    ]
    return HeatMap(shown, tuple(sorted(rows, key=_declared_order)))


def index_chart(found: HeatMap, subject: str, feature: str, warn: float) -> Chart | None:
    """One row of the map as a line, with the bound of a warning; None where there are no two days to join."""
    row = next((one for one in found.rows if (one.subject, one.feature) == (subject, feature)), None)
    if row is None or len(found.days) < 2:
        return None
    indices = [cell.index if cell else None for cell in row.cells]
    known = [index for index in indices if index is not None]
    span = f"from {min(known):.3f} to {max(known):.3f}" if known else "never measured"
    return Chart(
        "Stability index",
        f"by day, {found.days[0]} to {found.days[-1]}",
        (feature, "warning from"),
        [datetime.combine(day, time(12), UTC).timestamp() for day in found.days],
        (indices, [warn] * len(indices)),
        f"The stability index of {feature} by day was {span}; a warning is given from {warn:g} on.",
    )


def newest_findings(warehouse: Warehouse) -> date | None:
    """The newest day that was examined; None before the first."""
    query = Query(f"SELECT MAX({PARTITION_COLUMN}) AS newest FROM {FINDINGS.name}")
    try:
        (newest,) = (row["newest"] for batch in warehouse.read(query, _LABELS) for row in batch.to_pylist())
    except RelationMissing:
        return None
    return newest if newest is None else date(newest.year, newest.month, newest.day)


def _signs(findings: Iterable[Finding]) -> dict[tuple[str, str], tuple[str, ...]]:
    found: dict[tuple[str, str], list[str]] = {}
    for one in findings:
        if one.measure in SIGNS:
            found.setdefault((one.subject, one.feature), []).append(one.measure)
    return {place: tuple(dict.fromkeys(names)) for place, names in found.items()}


def _cells(
    indices: Sequence[Finding], signs: Mapping[tuple[str, str], tuple[str, ...]], reference: str
) -> dict[tuple[str, str], Cell]:
    """The index of a seasonal day, which has no trailing one, is left out: its verdict is not."""
    found: dict[tuple[str, str], Cell] = {}
    for one in indices:
        place = (one.subject, one.feature)
        before = found.get(place, Cell(None, Severity.STABLE, signs.get(place, ())))
        value = one.value if one.reference == reference else before.index
        found[place] = Cell(value, max(before.verdict, one.verdict, key=_RANK.__getitem__), before.signs)
    # A volume that collapsed is about no feature.
    found |= {place: Cell(None, Severity.ERROR, names) for place, names in signs.items() if place[1] == ROWS}
    return {
        place: Cell(cell.index, Severity.ERROR, cell.signs) if cell.signs else cell for place, cell in found.items()
    }


_ORDER = {
    (subject.name, column.name): position
    for position, (subject, column) in enumerate(
        (subject, column) for subject in ALL_SUBJECTS if subject.name not in DIVIDED for column in subject.columns
    )
}


def _declared_order(row: Row) -> tuple[int, str, str]:
    return _ORDER.get((row.subject, row.feature), len(_ORDER)), row.subject, row.feature
