"""Responses before they are sent, and refusals as problems (RFC 9457)."""

from __future__ import annotations

import msgspec

from bnpl_features.errors import ModelInputError

JSON, PROBLEM = b"application/json", b"application/problem+json"


class Refused(Exception):
    """The request ends with this problem."""

    def __init__(self, status: int, title: str, detail: str, field: str = "", **headers: str) -> None:
        super().__init__(title)
        self.status, self.title, self.detail, self.field, self.headers = status, title, detail, field, headers


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What went wrong (RFC 9457); `field` names what in the purchase is wrong."""

    title: str
    status: int
    detail: str
    request_id: str = ""
    field: str = ""


class Answer(msgspec.Struct, frozen=True):
    """A response before it is sent."""

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


def detail_of(error: ModelInputError) -> str:
    says = str(error)
    return says if says.startswith(error.column) or not error.column else f"{error.column} {says}"


def too_large(limit: int) -> Refused:
    return Refused(413, "body too large", f"at most {limit} bytes are read; send smaller batches", connection="close")


def problem_of(refused: Refused, request_id: str) -> Answer:
    problem = Problem(refused.title, refused.status, refused.detail, request_id, refused.field)
    headers = tuple((name.encode(), value.encode()) for name, value in refused.headers.items())
    return Answer(refused.status, msgspec.json.encode(problem), PROBLEM, headers)
