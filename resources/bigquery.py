"""BigQuery's client from dagster-gcp's resource, and the same for a server of one's own."""

from collections.abc import Iterator
from contextlib import contextmanager

from dagster_gcp import BigQueryResource
from google.cloud import bigquery

from bnpl_features.settings import WarehouseSettings


class EmulatedBigQueryResource(BigQueryResource):
    """dagster-gcp's resource, speaking to a server of one's own without credentials."""

    api_endpoint: str

    @contextmanager
    def get_client(self) -> Iterator[bigquery.Client]:
        from bnpl_features.warehouse.bigquery_emulator import emulator_client

        yield emulator_client(self.project, self.location, self.api_endpoint)


def bigquery_resource(configured: WarehouseSettings) -> BigQueryResource:
    project, location = configured.project or None, configured.location or None
    if configured.api_endpoint:
        return EmulatedBigQueryResource(project=project, location=location, api_endpoint=configured.api_endpoint)
    return BigQueryResource(project=project, location=location)
