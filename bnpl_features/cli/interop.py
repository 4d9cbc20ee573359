"""The commands that describe the features to other tools."""

from __future__ import annotations

from pathlib import Path

import click

from bnpl_features.cli.output import console, named_exit
from bnpl_features.connect.data import open_warehouse
from bnpl_features.features.catalog import SETS
from bnpl_features.settings import load_settings


@click.group()
def feast() -> None:
    """Use the features from Feast.

    Example: bnpl-features feast export feature_repo
    """


@feast.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def export(folder: Path) -> None:
    """Write a Feast repository of all feature sets: its online store reads this keyspace, its offline source is the
    warehouse.

    With the embedded warehouse the offline source is a snapshot in FOLDER of every partition computed so far; run the
    command again to renew it.

    Example: bnpl-features feast export feature_repo && cd feature_repo && feast apply
    """
    from bnpl_features.interop.feast_repository import (
        SNAPSHOT,
        bigquery_offline,
        offline_query,
        parquet_offline,
        repository_files,
        write_snapshot,
    )

    with named_exit():
        chosen = load_settings().warehouse
        folder.mkdir(parents=True, exist_ok=True)
        if chosen.engine == "bigquery":
            offline = bigquery_offline(chosen)
        else:
            offline = parquet_offline()
            batches = open_warehouse(chosen).read(offline_query(), {"asset": "feast_export"})
            console.print(f"{write_snapshot(batches, folder / SNAPSHOT):,} feature vectors in {folder / SNAPSHOT}")
        for name, text in repository_files(SETS, offline).items():
            (folder / name).write_text(text)
    console.print(f"Feast repository in {folder}; next: cd {folder} && feast apply", soft_wrap=True)
