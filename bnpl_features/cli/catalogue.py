"""The command that shows what features there are."""

from __future__ import annotations

from pathlib import Path

import click
from rich.markup import escape

from bnpl_features.cli.output import console, print_json, print_table
from bnpl_features.features.catalog import GROUPS


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
