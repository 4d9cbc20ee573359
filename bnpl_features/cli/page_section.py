"""A section of a page that a command writes, between two marks."""

from __future__ import annotations

from pathlib import Path

from bnpl_features.errors import InputError


def renew_section(page: Path, begin: str, end: str, text: str) -> None:
    """Put `text` in the place of what stands between the lines `begin` and `end`; raises `InputError` without both."""
    before, mark, rest = page.read_text().partition(begin + "\n")
    _, closing, after = rest.partition(end + "\n")
    if not (mark and closing):
        raise InputError(f"{page} has no section to renew: it needs the lines {begin!r} and {end!r}, in that order")
    page.write_text(f"{before}{begin}\n{text}{end}\n{after}")
