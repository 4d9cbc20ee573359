"""The commands that show what features there are."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.markup import escape

from bnpl_features.cli.output import console, named_exit, print_json, print_table
from bnpl_features.connect.data import open_warehouse
from bnpl_features.connect.models import drift_rules, model_registry
from bnpl_features.features.catalog import GROUPS, SETS
from bnpl_features.settings import load_settings

if TYPE_CHECKING:
    from bnpl_features.catalogue.entries import Catalogue


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.option(
    "--write-reference", type=click.Path(dir_okay=False, path_type=Path), help="Write the reference page to this file."
)
def features(name: str | None, as_json: bool, write_reference: Path | None) -> None:
    """Show the features, or one of them with its SQL.

    Example: bnpl-features features credit_utilization_30d
    """
    if write_reference:
        from bnpl_features.derive.reference import reference_page

        write_reference.parent.mkdir(parents=True, exist_ok=True)
        write_reference.write_text(reference_page())
        return
    rows = [(group, feature) for group in GROUPS for feature in group.features]
    if name:
        rows = [(group, feature) for group, feature in rows if feature.name == name]
        if not rows:
            raise click.BadParameter(f"no feature {name!r}; `bnpl-features features` lists them")
    described = [
        {
            "feature": feature.name,
            "group": group.name,
            "unit": feature.unit,
            "window": str(feature.window),
            "stored_in_bytes": feature.storage.width_bytes,
            "largest_error": feature.storage.error_text,
            "meaning": feature.meaning,
            **(
                {"sql": feature.sql, "default": feature.default, "nullable": feature.nullable}
                if name or as_json
                else {}
            ),
        }
        for group, feature in rows
    ]
    if as_json:
        print_json(described)
    elif name:
        for key, value in described[0].items():
            console.print(f"[bold]{key}[/bold]  {escape(str(value))}", highlight=False)
    else:
        columns = ("feature", "group", "unit", "window", "bytes", "largest error", "meaning")
        print_table("Features", columns, [tuple(row.values()) for row in described])


@click.command()
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default="catalogue.html",
    show_default=True,
    help="Where to write the page.",
)
@click.option("--declared", is_flag=True, help="Only what the declarations say; connect to nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON, and write no page.")
def catalogue(out: Path, declared: bool, as_json: bool) -> None:
    """Write the feature catalogue: one searchable HTML file, with distributions, drift and importance of today.

    Example: bnpl-features catalogue --out catalogue.html
    """
    from bnpl_features.catalogue.observations import declared_catalogue
    from bnpl_features.catalogue.page import catalogue_page

    with named_exit():
        made = declared_catalogue(SETS) if declared else _live()
    if as_json:
        print_json(asdict(made))
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(catalogue_page(made), encoding="utf-8")
    console.print(f"{len(made.entries)} features in {out}", highlight=False, soft_wrap=True)


def _live() -> Catalogue:
    from bnpl_features.catalogue.observations import live_catalogue

    settings = load_settings()
    return live_catalogue(
        SETS, open_warehouse(settings.warehouse), model_registry(settings.model), drift_rules(settings)
    )
