"""The warehouse as a Dagster resource: BigQuery through dagster-gcp, or the embedded DuckDB."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
from dagster_gcp import BigQueryResource

from bnpl_features.connect import open_warehouse
from bnpl_features.settings import WarehouseSettings
from bnpl_features.warehouse.warehouse import Warehouse
from resources.settings import SettingsResource


class WarehouseResource(dg.ConfigurableResource[Warehouse]):
    settings: dg.ResourceDependency[SettingsResource]

    @contextmanager
    def open(self) -> Iterator[Warehouse]:
        """The configured engine, for the length of a step."""
        configured = self.settings.load().warehouse
        if configured.engine == "bigquery" and not configured.api_endpoint:
            with _bigquery(configured) as warehouse:
                yield warehouse
        else:
            yield open_warehouse(configured)


@contextmanager
def _bigquery(configured: WarehouseSettings) -> Iterator[Warehouse]:
    """With the client, and so the credentials, of dagster-gcp's resource."""
    from bnpl_features.warehouse.bigquery import BigQueryWarehouse

    resource = BigQueryResource(project=configured.project or None, location=configured.location or None)
    with resource.get_client() as client:
        yield BigQueryWarehouse(
            client,
            configured.dataset,
            maximum_bytes_billed=configured.maximum_bytes_billed or None,
            timeout_seconds=configured.timeout_seconds,
        )
