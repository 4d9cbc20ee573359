"""A section of a page is renewed between its marks, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from bnpl_features.cli.page_section import renew_section
from bnpl_features.errors import InputError


def test_what_stands_between_the_marks_is_replaced_and_nothing_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Before.\n<!-- a -->\nold\n<!-- b -->\nAfter.\n")

    renew_section(page, "<!-- a -->", "<!-- b -->", "new\n")

    assert page.read_text() == "Before.\n<!-- a -->\nnew\n<!-- b -->\nAfter.\n"


@pytest.mark.parametrize("text", ["no marks\n", "<!-- a -->\nno end\n", "<!-- b -->\n<!-- a -->\n"])
def test_a_page_without_both_marks_is_refused_and_left_as_it_is(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)

    with pytest.raises(InputError, match="needs the lines '<!-- a -->' and '<!-- b -->'"):
        renew_section(page, "<!-- a -->", "<!-- b -->", "new\n")

    assert page.read_text() == text
