"""The features as declared, with what is observed of them once that has been looked up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from bnpl_features.catalogue.entries import Catalogue, Entry, Observed
from bnpl_features.catalogue.observations import declared_catalogue, live_catalogue
from bnpl_features.connect.models import drift_rules
from bnpl_features.console.figures.panel import Panel
from bnpl_features.console.parts import Parts
from bnpl_features.errors import InputError
from bnpl_features.features.catalog import SETS

OBSERVED_SECONDS = 300.0
"""A partition is profiled once a day, so five minutes are soon enough."""

_NOTHING = Observed()


@dataclass(frozen=True)
class CatalogueFilter:
    """Empty lets everything through; of `words` each must occur in name, meaning, definition or owner."""

    words: str = ""
    group: str = ""
    feature_set: str = ""

    def lets_through(self, entry: Entry) -> bool:
        text = " ".join((entry.name, entry.meaning, entry.sql, *entry.derived.values(), entry.owner)).lower()
        return (
            all(word in text for word in self.words.lower().split())
            and self.group in ("", entry.group)
            and self.feature_set in ("", *entry.sets)
        )


@dataclass(frozen=True)
class FeatureRow:
    entry: Entry
    observed: Observed


@dataclass(frozen=True)
class CatalogueFigures:
    """`is_looking` says that the observations are still being looked up; `problem` why there are none."""

    rows: tuple[FeatureRow, ...]
    groups: tuple[str, ...]
    sets: tuple[str, ...]
    total: int
    champion: str
    reference_days: int
    is_looking: bool
    problem: str


def catalogue_figures(parts: Parts, wanted: CatalogueFilter = CatalogueFilter()) -> CatalogueFigures:
    """Never waits: the observations are those at hand."""
    declared, observed = _declared(), _observed(parts)
    live = observed.value if observed and observed.value else declared
    rows = [
        FeatureRow(one, live.observed.get(one.name, _NOTHING)) for one in declared.entries if wanted.lets_through(one)
    ]
    return CatalogueFigures(
        tuple(rows),
        _distinct([one.group for one in declared.entries]),
        declared.sets,
        len(declared.entries),
        live.champion,
        live.reference_days,
        observed is None,
        observed.problem if observed else "",
    )


def feature_row(parts: Parts, name: str) -> tuple[FeatureRow, CatalogueFigures]:
    """One feature, and the catalogue that it stands in; raises `InputError` where there is none of the name."""
    found = catalogue_figures(parts)
    row = next((one for one in found.rows if one.entry.name == name), None)
    if row is None:
        raise InputError(f"there is no feature {name!r}; the catalogue lists what there is")
    return row, found


@cache
def _declared() -> Catalogue:
    return declared_catalogue(SETS)


def _observed(parts: Parts) -> Panel[Catalogue] | None:
    def read() -> Catalogue:
        return live_catalogue(SETS, parts.warehouse(), parts.registry(), drift_rules(parts.settings))

    return parts.remembered.look("catalogue", read, OBSERVED_SECONDS)


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
