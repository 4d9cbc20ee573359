"""The request: a purchase as the checkout knows it, in the warehouse's column names.

Derived from the source contract and the models' declared inputs: a column that is added there is accepted here. What is
known only after the decision (status and outcomes) is refused, like any other name, so that a typing error is no silent
null.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec

from bnpl_features.errors import ModelInputError
from bnpl_features.features.purchase import IDENTITY, PURCHASE_COLUMNS, TIMESTAMP_COLUMN, Column, ColumnType
from bnpl_features.risk_model.purchase_inputs import OUTCOMES, PURCHASE_INPUTS

LONGEST_TEXT = 256
"""Characters of any text; the warehouse's longest are identifiers of 40."""

LARGEST_NUMBER = 1e12
"""Of any amount or count; far from where a float is not exact."""

_ONLY_LATER = (*OUTCOMES, "status")
_READ_BY_MODELS = {one.column for one in PURCHASE_INPUTS}
_CLOSED = {one.column: one.values for one in PURCHASE_INPUTS if one.is_closed}


class Identified(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every purchase says; `Purchase` adds the contract's other columns."""

    transaction_id: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_TEXT)]
    customer_id: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_TEXT)]
    transaction_timestamp: Annotated[datetime, msgspec.Meta(tz=True)]


def _field(column: Column) -> tuple[str, Any] | tuple[str, Any, None]:
    kind = _type_of(column)
    if column.required and column.name in _READ_BY_MODELS:
        return column.name, Annotated[kind, msgspec.Meta(description=column.meaning)]
    return column.name, Annotated[kind | None, msgspec.Meta(description=column.meaning)], None


def _type_of(column: Column) -> Any:
    if column.name in _CLOSED:
        return Literal[_CLOSED[column.name]]
    return {
        ColumnType.STRING: Annotated[str, msgspec.Meta(max_length=LONGEST_TEXT)],
        ColumnType.TIMESTAMP: Annotated[datetime, msgspec.Meta(tz=True)],
        ColumnType.FLOAT64: Annotated[float, msgspec.Meta(ge=0, le=LARGEST_NUMBER)],
        # JSON knows no integers: 4 and 4.0 are the same number, and some clients write the latter.
        ColumnType.INT64: Annotated[float, msgspec.Meta(ge=0, le=LARGEST_NUMBER, multiple_of=1)],
        ColumnType.BOOL: bool,
    }[column.type]


Purchase: type[Identified] = msgspec.defstruct(  # type: ignore[assignment]
    "Purchase",
    [_field(column) for column in PURCHASE_COLUMNS if column.name not in (*IDENTITY, *_ONLY_LATER)],
    bases=(Identified,),
    frozen=True,
    forbid_unknown_fields=True,
    kw_only=True,
    module=__name__,
)


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Purchases that are scored from one version of the features."""

    purchases: Annotated[list[Purchase], msgspec.Meta(min_length=1)]  # type: ignore[valid-type]


_COLUMN_LIKE = re.compile("[A-Za-z_]{1,40}")
"""A misspelt field is named; what may be a customer id in a field's place is not."""


class NotJson(ValueError):
    """The body is no JSON."""


_purchase_decoder = msgspec.json.Decoder(Purchase)
_batch_decoder = msgspec.json.Decoder(Batch)


def parse_purchase(body: bytes) -> Identified:
    """Raises `NotJson`, or `ModelInputError`, whose `column` names the field."""
    purchase: Identified = _parsed(_purchase_decoder, body)
    _require_instant(purchase, "")
    return purchase


def parse_batch(body: bytes) -> Sequence[Identified]:
    """Raises `NotJson`, or `ModelInputError`, whose `column` is such as `purchases[3].amount`."""
    purchases: list[Identified] = _parsed(_batch_decoder, body).purchases
    for number, purchase in enumerate(purchases):
        _require_instant(purchase, f"purchases[{number}].")
    return purchases


def columns_of(purchase: Identified) -> dict[str, object]:
    """The purchase as a model takes it."""
    return msgspec.structs.asdict(purchase)


def _require_instant(purchase: Identified, place: str) -> None:
    """A time of the year 9999 may be one of the year 10000 in UTC, one of the year 1 of the year 0: no `datetime`."""
    try:
        purchase.transaction_timestamp.astimezone(UTC)
    except OverflowError as error:
        raise ModelInputError(f"{place}{TIMESTAMP_COLUMN}", "is out of range; correct it") from error


def _parsed(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        column, says = _named(str(error))
        raise ModelInputError(column, says) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotJson(f"the body is no JSON that can be read ({error}); send what the API describes") from error


def _named(message: str) -> tuple[str, str]:
    """msgspec's words -> the field, and what is wrong with it; without any value that was sent."""
    says, _, path = message.partition(" - at `")
    path = path.removesuffix("`").removeprefix("$").removeprefix(".")
    if "`" in says and ("missing required field" in says or "unknown field" in says):
        field = says.split("`")[1]
        if not _COLUMN_LIKE.fullmatch(field):
            field = "?"
        path = f"{path}.{field}" if path else field
        missing = "missing" in says
        return path, "is missing; a purchase must say it" if missing else "is no field of a purchase; leave it out"
    if says.startswith("Invalid enum value"):
        return path, _choices(path)
    return path, f"{says[0].lower()}{says[1:]}; correct it" if says else "is wrong; correct it"


def _choices(path: str) -> str:
    column = path.rpartition(".")[2]
    return f"is none of {', '.join(_CLOSED.get(column, ()))}; correct it"
