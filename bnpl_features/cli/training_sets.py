"""The command that hands a training set on to other tools."""

from __future__ import annotations

from pathlib import Path

import click

from bnpl_features.cli.output import console, named_exit
from bnpl_features.settings import load_settings


@click.group(name="training-set")
def training_set() -> None:
    """Hand on what models were trained on.

    Example: bnpl-features training-set export latest training.parquet
    """


@training_set.command()
@click.argument("which", metavar="FINGERPRINT|latest")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def export(which: str, file: Path) -> None:
    """Write a training set as Parquet: inputs, features, label, day and part, without customer ids.

    `bnpl-features models` shows the fingerprint of the set that each model was trained on; its beginning is enough.

    Example: bnpl-features training-set export latest training.parquet
    """
    from bnpl_features.risk_model.training_export import chosen_folder, export_training_set
    from bnpl_features.risk_model.training_set import read_training_set

    with named_exit():
        training = read_training_set(chosen_folder(load_settings().model.training_sets, which))
        size = export_training_set(training, file)
    console.print(
        f"{training.rows:,} purchases of training set {training.fingerprint} in {file}, {size / 1e6:.1f} MB",
        highlight=False,
        soft_wrap=True,
    )
