"""Google's clients for a BigQuery server of one's own, without credentials."""

from __future__ import annotations

import grpc
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryReadClient
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport

from bnpl_features.errors import SettingsError


def emulator_client(project: str | None, location: str | None, api_endpoint: str) -> bigquery.Client:
    """Google's client without credentials, for a server of one's own."""
    if not project:
        raise SettingsError("no project to run jobs in is named; set BNPL_BIGQUERY_PROJECT")
    return bigquery.Client(
        project=project,
        location=location,
        credentials=AnonymousCredentials(),
        client_options={"api_endpoint": api_endpoint},
    )


def emulator_storage(endpoint: str) -> BigQueryReadClient:
    """The Storage Read client of a server of one's own, over an insecure channel."""
    unlimited = [("grpc.max_receive_message_length", -1)]
    channel = grpc.insecure_channel(endpoint, options=unlimited)
    return BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))
