"""Commands of the prediction service."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bnpl_features.cli.output import console, named_exit
from bnpl_features.connect.data import store_url
from bnpl_features.connect.serving import open_shelf, serving_of
from bnpl_features.connect.telling import open_tracer
from bnpl_features.settings import load_settings


@click.command()
@click.option("--host", help="Address to listen on (default: scoring.host).")
@click.option("--port", type=int, help="Port to listen on; 0 takes a free one (default: scoring.port).")
@click.option("--without-registry", is_flag=True, help="Score with the models in the folder; fetch none.")
def serve(host: str | None, port: int | None, without_registry: bool) -> None:
    """Answer POST /v1/score until told to stop (SIGTERM, Ctrl-C); logs are JSON on standard error.

    Starts and scores also while the store or the registry is down. Models, experiments and API keys are picked up
    without a restart.

    Example: bnpl-features serve --port 8080
    """
    given = {"BNPL_SCORING_HOST": host or "", "BNPL_SCORING_PORT": "" if port is None else str(port)}
    with named_exit():
        settings = load_settings(overrides={name: value for name, value in given.items() if value})
        with (
            store_url(settings.store) as url,
            open_shelf(settings.scoring, settings.store) as shelf,
            open_tracer(settings.monitoring, "bnpl-scoring") as tracer,
        ):
            serving = serving_of(settings.scoring, settings.store, url, tracer)
            from bnpl_features.scoring.fetching import start_fetching
            from bnpl_features.scoring.journal import log_json
            from bnpl_features.scoring.server import serve as serve_until_told

            log_json()
            fetcher = None
            if not without_registry:
                fetcher = start_fetching(
                    settings.model.registry_url,
                    settings.model.folder,
                    settings.model.registry_prefix,
                    serving.models_folder,
                    log_json,
                    settings.scoring.registry_seconds,
                )
            try:
                serve_until_told(serving, shelf, _say_port)
            finally:
                if fetcher is not None:
                    fetcher.terminate()
                    fetcher.join()


@click.command(name="api-key")
@click.argument("name")
@click.option("--file", "path", type=click.Path(path_type=Path), help="Add the key's line to this file.")
def api_key(name: str, path: Path | None) -> None:
    """Make an API key for the caller NAME. It is shown once; the file keeps its digest only.

    To rotate: add a new key, let the caller change over, remove the old line. The service sees each within a second.

    Example: bnpl-features api-key checkout-web --file keys.txt
    """
    with named_exit():
        from bnpl_features.scoring.keys import new_key

        key, line = new_key(name)
    if path is None:
        console.print(f"key   {key}\nline  {line}", highlight=False, soft_wrap=True)
        return
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    console.print(key, highlight=False, soft_wrap=True)


def _say_port(port: int) -> None:
    sys.stdout.write(f"listening on port {port}\n")
    sys.stdout.flush()
