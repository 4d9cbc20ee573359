"""Other ways to store the codes of a record, each with an encoder and a decoder that gives the same values back."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import zstandard
from numpy.typing import NDArray

from bnpl_features.derive.layout import TAG_BYTES
from bnpl_features.store.arrays import Records
from bnpl_features.store.codec import Codec

Codes = NDArray[np.uint16]

SAMPLES = 10_000
ZSTD_DICTIONARY_BYTES = 32_768
BUCKET_DICTIONARY_BYTES = 16_384
ZLIB_DICTIONARY_RECORDS = 64
ZLIB_LEVEL = 6

Read = Callable[[bytes], tuple[object, ...] | None]


@dataclass(frozen=True)
class Scheme:
    """A way to store records: one value each, in the same order, and the way back to feature values."""

    name: str
    store: Callable[[Records], list[bytes]]
    read: Read | None
    """None for a bound, which nothing decodes."""


def codes_of(codec: Codec, records: Records) -> Codes:
    """The codes of records as a matrix of (records, features)."""
    codes = np.zeros((len(records), len(codec.layout.fields)), dtype=np.uint16)
    for position, (field, offset) in enumerate(zip(codec.layout.fields, codec.layout.offsets, strict=True)):
        for byte in range(field.storage.width_bytes):
            codes[:, position] |= records[:, offset + byte].astype(np.uint16) << np.uint16(8 * byte)
    return codes


def rows_of(records: Records) -> list[bytes]:
    return [record.tobytes() for record in records]


def present(codec: Codec) -> Scheme:
    return Scheme("present: fixed codes", rows_of, codec.decode_one)


def zlib_with_dictionary(codec: Codec, earlier: Records) -> Scheme:
    dictionary = earlier[:: len(earlier) // ZLIB_DICTIONARY_RECORDS].tobytes()

    def store(records: Records) -> list[bytes]:
        stored = []
        for record in rows_of(records):
            compressor = zlib.compressobj(ZLIB_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, zdict=dictionary)
            stored.append(compressor.compress(record) + compressor.flush())
        return stored

    def read(stored: bytes) -> tuple[object, ...] | None:
        return codec.decode_one(zlib.decompressobj(-zlib.MAX_WBITS, zdict=dictionary).decompress(stored))

    return Scheme("zlib a record, dictionary", store, read)


def zstd_with_dictionary(codec: Codec, earlier: Records) -> Scheme:
    """Frames without magic number, dictionary number and checksum: what every record would repeat."""
    step = max(1, len(earlier) // SAMPLES)
    dictionary = zstandard.train_dictionary(ZSTD_DICTIONARY_BYTES, rows_of(earlier[::step]))
    options = zstandard.ZstdCompressionParameters.from_level(
        19, format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_dict_id=False, write_content_size=True
    )
    compress = zstandard.ZstdCompressor(dict_data=dictionary, compression_params=options).compress
    decompress = zstandard.ZstdDecompressor(dict_data=dictionary, format=zstandard.FORMAT_ZSTD1_MAGICLESS).decompress

    def store(records: Records) -> list[bytes]:
        return [compress(record) for record in rows_of(records)]

    def read(stored: bytes) -> tuple[object, ...] | None:
        return codec.decode_one(decompress(stored))

    return Scheme("zstd a record, dictionary", store, read)


def exact_bits(codec: Codec, earlier: Records, records: Records) -> Scheme:
    """Each code in as many bits as the codes of both partitions need, null among them; an outlier would not fit."""
    storages = [field.storage for field in codec.layout.fields]
    nulls = np.array([storage.null_code for storage in storages], dtype=np.uint16)
    both = np.vstack((codes_of(codec, records), codes_of(codec, earlier)))
    widths = [
        int(column[column != null].max(initial=0) + 1).bit_length() for column, null in zip(both.T, nulls, strict=True)
    ]
    own_nulls = [(1 << width) - 1 for width in widths]
    shifts = [sum(widths[:position]) for position in range(len(widths))]
    size = TAG_BYTES + -(-sum(widths) // 8)
    tables = value_tables(codec)
    plan = [
        (shift + 8, null, (*table[:null], table[-1]))
        for shift, null, table in zip(shifts, own_nulls, tables, strict=True)
    ]

    def store(records: Records) -> list[bytes]:
        codes = codes_of(codec, records)
        packed = np.where(codes == nulls, np.array(own_nulls), codes).tolist()
        sums = [sum(code << shift + 8 for code, shift in zip(row, shifts, strict=True)) for row in packed]
        return [(codec.layout.tag | bits).to_bytes(size, "little") for bits in sums]

    def read(stored: bytes) -> tuple[object, ...] | None:
        if len(stored) != size or stored[0] != codec.layout.tag:
            return None
        bits = int.from_bytes(stored, "little")
        return tuple([table[bits >> shift & mask] for shift, mask, table in plan])

    return Scheme("bits that the data needs", store, read)


def entropy_bound(codec: Codec) -> Scheme:
    """What an ideal coder of each code by itself would take, given the shares of the codes in the same records.

    Flattering: the table of shares is free, and codes seen once are taken as known. Stored as zeros of that length.
    """

    def store(records: Records) -> list[bytes]:
        bits = np.zeros(len(records))
        for column in codes_of(codec, records).T:
            _, position, count = np.unique(column, return_inverse=True, return_counts=True)
            bits -= np.log2(count / len(records))[position]
        return [bytes(TAG_BYTES + -int(-each // 8)) for each in bits.tolist()]

    return Scheme("entropy of codes (bound)", store, None)


def value_tables(codec: Codec) -> list[tuple[object, ...]]:
    """The value of every code of every feature, found by decoding: table[code], null last."""
    fields, offsets = codec.layout.fields, codec.layout.offsets
    tables: list[tuple[object, ...]] = []
    for position, (field, offset) in enumerate(zip(fields, offsets, strict=True)):
        width = field.storage.width_bytes
        count = field.storage.null_code + 1
        records = np.zeros((count, codec.layout.width_bytes), dtype=np.uint8)
        records[:, 0] = codec.layout.tag
        for byte in range(width):
            records[:, offset + byte] = (np.arange(count) >> 8 * byte) & 255
        decoded = [codec.decode_one(record) for record in rows_of(records)]
        tables.append(tuple(values[position] for values in decoded if values is not None))
    return tables


@dataclass(frozen=True)
class Buckets:
    """Whole buckets as one value each, and the way from a bucket and a field to feature values."""

    name: str
    store: Callable[[list[tuple[bytes, Records]]], list[bytes]]
    read: Callable[[bytes, bytes], tuple[object, ...] | None]


def zstd_buckets(codec: Codec, earlier: list[tuple[bytes, Records]]) -> Buckets:
    """Fields as they are, then the records compressed byte position by byte position, with a trained dictionary."""
    planes = [np.ascontiguousarray(records.T).tobytes() for _, records in earlier]
    dictionary = zstandard.train_dictionary(BUCKET_DICTIONARY_BYTES, planes)
    options = zstandard.ZstdCompressionParameters.from_level(
        19, format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_dict_id=False, write_content_size=True
    )
    compress = zstandard.ZstdCompressor(dict_data=dictionary, compression_params=options).compress
    decompress = zstandard.ZstdDecompressor(dict_data=dictionary, format=zstandard.FORMAT_ZSTD1_MAGICLESS).decompress

    def store(buckets: list[tuple[bytes, Records]]) -> list[bytes]:
        return [
            bytes([len(records)]) + fields + compress(np.ascontiguousarray(records.T).tobytes())
            for fields, records in buckets
        ]

    def read(bucket: bytes, field: bytes) -> tuple[object, ...] | None:
        count = bucket[0]
        end = 1 + count * len(field)
        found = bucket.find(field, 1, end)
        while found > 0 and (found - 1) % len(field):
            found = bucket.find(field, found + 1, end)
        if found < 0:
            return None
        return codec.decode_one(decompress(bucket[end:])[(found - 1) // len(field) :: count])

    return Buckets("zstd a bucket, one value", store, read)
