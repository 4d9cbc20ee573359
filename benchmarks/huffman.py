"""Records of Huffman codes: one for the null or the high byte of a feature, one for the low byte where there is one."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.schemes import Codes, Scheme, codes_of, value_tables
from bnpl_features.derive.layout import TAG_BYTES, Field
from bnpl_features.store.arrays import Records, float_table
from bnpl_features.store.codec import Codec

RAREST = 2.0**-12
"""The least share that a symbol is taken to have: every symbol has a code then, and codes stay under some 18 bits."""

NULL = 256
"""The symbol of null, beside those of the 256 bytes."""

Symbols = NDArray[np.int64]


@dataclass(frozen=True)
class _Coder:
    """The code of each symbol, and for each possible prefix of `peek` bits the symbol and the length of its code."""

    codes: list[tuple[int, int]]
    peek: int
    prefixes: list[tuple[int, int]]


def huffman(codec: Codec, earlier: Records) -> Scheme:
    """The codes are those of an earlier partition."""
    fields = codec.layout.fields
    coders = []
    for field, column in zip(fields, codes_of(codec, earlier).T, strict=True):
        first, low = _symbols(field, column)
        second = _coder(low[first != NULL], NULL) if field.storage.width_bytes == 2 else None
        coders.append((_coder(first, NULL + 1), second))
    plan = [
        (
            (1 << first.peek) - 1,
            first.prefixes,
            (1 << second.peek) - 1 if second else 0,
            second.prefixes if second else None,
            table,
        )
        for (first, second), table in zip(coders, value_tables(codec), strict=True)
    ]

    def store(records: Records) -> list[bytes]:
        symbols = [_symbols(field, column) for field, column in zip(fields, codes_of(codec, records).T, strict=True)]
        rows = zip(*(zip(first.tolist(), low.tolist(), strict=True) for first, low in symbols), strict=True)
        return [_encoded(codec.layout.tag, row, coders) for row in rows]

    def read(record: bytes) -> tuple[object, ...] | None:
        if record[0] != codec.layout.tag:
            return None
        bits = int.from_bytes(record, "little") >> 8 * TAG_BYTES
        values: list[object] = []
        for mask, prefixes, low_mask, low_prefixes, table in plan:
            code, length = prefixes[bits & mask]
            bits >>= length
            if code == NULL:
                values.append(None)
                continue
            if low_prefixes is not None:
                byte, length = low_prefixes[bits & low_mask]
                bits >>= length
                code = code << 8 | byte
            values.append(table[code])
        return tuple(values)

    return Scheme("Huffman codes", store, read)


def _symbols(field: Field, codes: Codes) -> tuple[Symbols, Symbols]:
    null = np.isnan(float_table(field.storage))[codes]
    high = codes >> 8 if field.storage.width_bytes == 2 else codes
    return np.where(null, NULL, high).astype(np.int64), (codes & 255).astype(np.int64)


def _coder(symbols: Symbols, alphabet: int) -> _Coder:
    shares = np.bincount(symbols, minlength=alphabet) / max(1, len(symbols))
    lengths = _lengths(np.maximum(shares, RAREST).tolist())
    peek = max(lengths)
    codes, prefixes = [(0, 0)] * alphabet, [(0, 0)] * (1 << peek)
    code = previous = 0
    for length, symbol in sorted((length, symbol) for symbol, length in enumerate(lengths)):
        code <<= length - previous
        previous = length
        mirrored = int(f"{code:0{length}b}"[::-1], 2)
        codes[symbol] = (mirrored, length)
        prefixes[mirrored :: 1 << length] = [(symbol, length)] * (1 << peek - length)
        code += 1
    return _Coder(codes, peek, prefixes)


def _lengths(shares: list[float]) -> list[int]:
    """The length of each symbol's code, in bits."""
    heap = [(share, [symbol]) for symbol, share in enumerate(shares)]
    heapq.heapify(heap)
    lengths = [0] * len(shares)
    while len(heap) > 1:
        (one, few), (other, more) = heapq.heappop(heap), heapq.heappop(heap)
        for symbol in few + more:
            lengths[symbol] += 1
        heapq.heappush(heap, (one + other, few + more))
    return lengths


def _encoded(tag: int, row: tuple[tuple[int, int], ...], coders: list[tuple[_Coder, _Coder | None]]) -> bytes:
    bits, used = tag, 8 * TAG_BYTES
    for (symbol, low), (first, second) in zip(row, coders, strict=True):
        code, length = first.codes[symbol]
        bits |= code << used
        used += length
        if second and symbol != NULL:
            code, length = second.codes[low]
            bits |= code << used
            used += length
    return bits.to_bytes(-(-used // 8), "little")
