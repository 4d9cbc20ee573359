"""The purchases' table as Terraform makes it: the columns of the source contract, as BigQuery's JSON.

python -m deploy.terraform.schema     writes transactions.json
"""

from __future__ import annotations

import json
from pathlib import Path

from bnpl_features.features.purchase import PURCHASE_COLUMNS

FILE = Path(__file__).with_name("transactions.json")


def written() -> str:
    columns = [
        {
            "name": column.name,
            "type": column.type.value,
            "mode": "REQUIRED" if column.required else "NULLABLE",
            "description": column.meaning,
        }
        for column in PURCHASE_COLUMNS
    ]
    return json.dumps(columns, indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(written())
