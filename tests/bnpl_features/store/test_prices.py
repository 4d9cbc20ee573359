"""A price file is read whole or refused with the entry and the mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from bnpl_features.errors import SettingsError
from bnpl_features.store.prices import Offering, load_prices, parse_prices

AS_OF = 'as_of = "2026-01"\n'
ENTRY = '[[offering]]\nprovider = "p"\nnode = "n"\nregion = "r"\nusable_gib = 10\nusd_per_hour = 0.2\n'


def test_the_shipped_table_says_when_it_was_looked_up_and_repeats_no_node() -> None:
    table = load_prices()

    assert table.as_of
    nodes = [(offering.provider, offering.region, offering.node) for offering in table.offerings]
    assert len(set(nodes)) == len(nodes) >= 3


def test_a_file_of_ones_own_takes_its_place(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(AS_OF + ENTRY)

    table = load_prices(file)

    assert table.as_of == "2026-01"
    assert table.offerings == (Offering("p", "n", "r", 10, 0.2),)


def test_a_date_may_be_written_as_one() -> None:
    assert parse_prices(f"as_of = 2026-01-31\n{ENTRY}", "x").as_of == "2026-01-31"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("as_of = ", "price file x is not valid TOML"),
        (ENTRY, "price file x lacks as_of; write when you looked the prices up"),
        (AS_OF, r"lists nothing; begin each kind of node with a line \[\[offering\]\]"),
        (AS_OF + "offering = []", "lists nothing"),
        (AS_OF + "offering = [3]", "lists nothing"),
        (AS_OF + "currency = 'EUR'\n" + ENTRY, "unknown keys: currency; keep as_of"),
        (AS_OF + ENTRY + ENTRY.replace('region = "r"\n', ""), r"offering 2 \(n\) of the price file x lacks region"),
        (AS_OF + ENTRY.replace('node = "n"\n', ""), r"offering 1 \(without a node\) .* lacks node; each has provider"),
        (AS_OF + ENTRY + "discount = 1\n", r"offering 1 \(n\) .* unknown keys: discount; each has"),
        (AS_OF + ENTRY.replace('"r"', "7"), "has region 7; write a text in quotes"),
        (AS_OF + ENTRY.replace('"r"', "''"), "has region ''; write a text in quotes"),
        (AS_OF + ENTRY.replace("0.2", "'0.2'"), "has usd_per_hour '0.2'; write a number above 0, without quotes"),
        (AS_OF + ENTRY.replace("0.2", "nan"), "has usd_per_hour nan; write a number above 0"),
        (AS_OF + ENTRY.replace("10", "0"), "has usable_gib 0; write a number above 0"),
        (AS_OF + ENTRY.replace("10", "true"), "has usable_gib True; write a number above 0"),
    ],
)
def test_a_price_file_that_is_wrong_is_refused_with_the_entry_and_the_mend(text: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        parse_prices(text, "x")


def test_a_price_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff")

    with pytest.raises(SettingsError, match=r"nowhere\.toml cannot be read: No such file"):
        load_prices(tmp_path / "nowhere.toml")
    with pytest.raises(SettingsError, match="cannot be read: it is not UTF-8 text"):
        load_prices(tmp_path / "binary.toml")
