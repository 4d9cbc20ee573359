"""Records without the codes that most customers share: a template says which features are left out."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from benchmarks.schemes import Codes, Scheme, codes_of, value_tables
from bnpl_features.derive.layout import TAG_BYTES
from bnpl_features.store.arrays import Records
from bnpl_features.store.codec import Codec

MOST_TEMPLATES = 32
"""One byte names up to 256; from 32 on each further one saves little."""

CANDIDATES = 1_500
Masks = NDArray[np.uint64]
"""One bit a feature: set where its code is the usual one."""


@dataclass(frozen=True)
class _Plan:
    """How the records of one template are read: `arrange` puts stored and left-out values into the layout's order."""

    size: int
    unpack: Callable[[bytes], tuple[int, ...]]
    tables: tuple[tuple[object, ...], ...]
    left_out: tuple[object, ...]
    arrange: Callable[[tuple[object, ...]], tuple[object, ...]]


def templates(codec: Codec, earlier: Records) -> Scheme:
    """Tag, number of the template, the codes that it does not leave out; chosen on an earlier partition."""
    codes = codes_of(codec, earlier)
    usual = np.array([np.bincount(column).argmax() for column in codes.T], dtype=np.uint16)
    widths = [field.storage.width_bytes for field in codec.layout.fields]
    chosen = [0, *_chosen(_masks(codes, usual), widths)]
    tables = value_tables(codec)
    plans = [_plan(codec, tables, mask, usual) for mask in chosen]

    def store(records: Records) -> list[bytes]:
        return _stored(codec, records, usual, chosen)

    return Scheme(f"{MOST_TEMPLATES} templates", store, _reader(codec, plans))


def _reader(codec: Codec, plans: list[_Plan]) -> Callable[[bytes], tuple[object, ...] | None]:
    tag, most = codec.layout.tag, len(plans)

    def read(stored: bytes) -> tuple[object, ...] | None:
        if len(stored) <= TAG_BYTES or stored[0] != tag or stored[1] >= most:
            return None
        plan = plans[stored[1]]
        if len(stored) != plan.size:
            return None
        codes = plan.unpack(stored)
        return plan.arrange((*[table[code] for table, code in zip(plan.tables, codes, strict=True)], *plan.left_out))

    return read


def _masks(codes: Codes, usual: Codes) -> Masks:
    powers = np.uint64(1) << np.arange(codes.shape[1], dtype=np.uint64)
    return ((codes == usual) * powers).sum(axis=1, dtype=np.uint64)


def _chosen(masks: Masks, widths: list[int]) -> list[int]:
    """Greedy: each time the template that saves the most bytes beyond those that were chosen before."""
    distinct, count = np.unique(masks, return_counts=True)
    frequent = distinct[np.argsort(-count)][:CANDIDATES]
    shared = np.unique(frequent[:80, None] & frequent[None, :80])
    candidates = np.unique(np.concatenate((frequent, shared)))
    fits = (candidates[:, None] & ~distinct[None, :]) == 0
    saves = fits * _bytes_left_out(candidates, widths)[:, None]
    best = np.zeros(len(distinct), dtype=np.int64)
    chosen = []
    for _ in range(MOST_TEMPLATES - 1):
        gains = (np.maximum(saves - best, 0) * count).sum(axis=1)
        chosen.append(int(candidates[gains.argmax()]))
        best = np.maximum(best, saves[gains.argmax()])
    return chosen


def _bytes_left_out(masks: Masks, widths: list[int]) -> NDArray[np.int64]:
    bits = (masks[:, None] >> np.arange(len(widths), dtype=np.uint64)) & np.uint64(1)
    return (bits.astype(np.int64) * np.array(widths)).sum(axis=1)


def _stored(codec: Codec, records: Records, usual: Codes, chosen: list[int]) -> list[bytes]:
    masks, of_record = np.unique(_masks(codes_of(codec, records), usual), return_inverse=True)
    candidates = np.array(chosen, dtype=np.uint64)
    widths = [field.storage.width_bytes for field in codec.layout.fields]
    fits = (candidates[:, None] & ~masks[None, :]) == 0
    number = (fits * (1 + _bytes_left_out(candidates, widths))[:, None]).argmax(axis=0)[of_record]
    stored = [b""] * len(records)
    for template, mask in enumerate(chosen):
        rows = np.flatnonzero(number == template)
        kept = records[np.ix_(rows, _kept_bytes(codec, mask))]
        start = bytes([codec.layout.tag, template])
        for row, codes in zip(rows.tolist(), kept, strict=True):
            stored[row] = start + codes.tobytes()
    return stored


def _kept_bytes(codec: Codec, mask: int) -> list[int]:
    fields = zip(codec.layout.fields, codec.layout.offsets, strict=True)
    return [
        offset + byte
        for position, (field, offset) in enumerate(fields)
        if not mask >> position & 1
        for byte in range(field.storage.width_bytes)
    ]


def _plan(codec: Codec, tables: list[tuple[object, ...]], mask: int, usual: Codes) -> _Plan:
    features = range(len(tables))
    kept = [feature for feature in features if not mask >> feature & 1]
    left_out = [feature for feature in features if mask >> feature & 1]
    order = kept + left_out
    formats = "".join("BH"[codec.layout.fields[feature].storage.width_bytes - 1] for feature in kept)
    packed = struct.Struct("<xx" + formats)
    return _Plan(
        packed.size,
        packed.unpack,
        tuple(tables[feature] for feature in kept),
        tuple(tables[feature][usual[feature]] for feature in left_out),
        itemgetter(*[order.index(feature) for feature in features]),
    )
