"""The command that says what can be told of the installation, for Prometheus."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from bnpl_features.cli.output import named_exit
from bnpl_features.connect.extras import extra
from bnpl_features.connect.telling import destinations_of
from bnpl_features.errors import BnplFeaturesError, SettingsError
from bnpl_features.monitoring.telling import tell
from bnpl_features.settings import load_settings
from bnpl_features.telemetry.catalogue import CATALOGUE
from bnpl_features.telemetry.exposition import exposition
from bnpl_features.telemetry.reference import metrics_page

SUBJECT = "current"


@click.command()
@click.option("--tell", "telling", is_flag=True, help="Leave them where [monitoring] says, as the daily run does.")
@click.option(
    "--write-reference", type=click.Path(dir_okay=False, path_type=Path), help="Write the reference page to this file."
)
def metrics(telling: bool, write_reference: Path | None) -> None:
    """Print active version, age of its features, server memory, evictions and drift, as Prometheus reads them.

    A part that does not answer is told as `bnpl_collected` 0; the command then ends with that part's code, 3 the
    warehouse, 4 the online store.

    Example: bnpl-features metrics
    """
    if write_reference:
        write_reference.write_text(metrics_page(CATALOGUE))
        return
    codes = [0]

    def complain(part: str, error: BnplFeaturesError) -> None:
        Console(stderr=True).print(f"[red]{part}:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        codes.append(error.exit_code)

    with named_exit():
        settings = load_settings()
        with extra("warehouse"):
            from bnpl_features.collection import collect
        destinations = destinations_of(settings.monitoring)
        if telling and not destinations.is_anywhere:
            raise SettingsError(
                "there is no place to leave metrics; set BNPL_TEXTFILE_FOLDER or BNPL_PUSHGATEWAY_URL, or drop --tell"
            )
        found = list(collect(settings, complain))
        if telling:
            tell(destinations, SUBJECT, found)
    sys.stdout.write(exposition(found).decode())
    sys.stdout.flush()
    sys.exit(max(codes))
