"""One thing that the daily job asks of the warehouse."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bnpl_features.derive.query import Query


class Api(StrEnum):
    """How BigQuery is asked, which decides what is billed."""

    QUERY = "query"
    STORAGE_READ = "storage read"


@dataclass(frozen=True)
class Statement:
    """Of a `step` of the job; `writes` names the table whose partition is replaced by the query's rows.

    Of a read over the Storage Read API, `query` selects the same columns of the same partition: as many bytes.
    """

    step: str
    purpose: str
    api: Api
    query: Query
    writes: str = ""

    @property
    def key(self) -> str:
        return f"{self.step}: {self.purpose}"
