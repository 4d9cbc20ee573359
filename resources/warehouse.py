"""The warehouse as a Dagster resource: BigQuery through dagster-gcp, or the embedded DuckDB."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from bnpl_features.connect.data import open_warehouse
from bnpl_features.settings import WarehouseSettings
from bnpl_features.warehouse.warehouse import Warehouse
from resources.settings import SettingsResource


class WarehouseResource(dg.ConfigurableResource[Warehouse]):
    settings: dg.ResourceDependency[SettingsResource]

    @contextmanager
    def open(self) -> Iterator[Warehouse]:
        """The configured engine, for the length of a step."""
        configured = self.settings.load().warehouse
        if configured.engine == "bigquery":
            with _bigquery(configured) as warehouse:
                yield warehouse
        else:
            yield open_warehouse(configured)


@contextmanager
def _bigquery(configured: WarehouseSettings) -> Iterator[Warehouse]:
    """With the client, and so the credentials, of dagster-gcp's resource."""
    # A second of imports, which a run on DuckDB does without.
    from bnpl_features.warehouse.bigquery import BigQueryWarehouse
    from bnpl_features.warehouse.bigquery_emulator import emulator_storage
    from resources.bigquery import bigquery_resource

    with bigquery_resource(configured).get_client() as client:
        yield BigQueryWarehouse(
            client,
            configured.dataset,
            maximum_bytes_billed=configured.maximum_bytes_billed or None,
            timeout_seconds=configured.timeout_seconds,
            storage_client=emulator_storage(configured.storage_endpoint) if configured.storage_endpoint else None,
            results_over_storage=not configured.api_endpoint,
        )
