"""The documentation says what is: commands, settings, links, bytes and examples are checked against the code."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import numpy as np
import pytest

from bnpl_features import settings as configuration
from bnpl_features.catalogue.observations import declared_catalogue
from bnpl_features.catalogue.page import catalogue_page
from bnpl_features.cli.main import commands as main
from bnpl_features.derive.layout import TAG_BYTES, layout_of
from bnpl_features.derive.reference import reference_page
from bnpl_features.errors import BnplFeaturesError
from bnpl_features.features.catalog import BEHAVIOURAL, SETS
from bnpl_features.settings import SECTIONS, Settings, load_settings
from bnpl_features.store.connection import connect
from bnpl_features.store.embedded import embedded_store
from bnpl_features.store.keyspace import CustomerKey, Keyspace
from bnpl_features.store.manifest import Provenance
from bnpl_features.store.prices import parse_prices
from bnpl_features.store.publisher import publish
from bnpl_features.store.publishing.batches import CustomerBatch
from bnpl_features.store.target import Target
from bnpl_features.store.users import users_section
from bnpl_features.telemetry.catalogue import CATALOGUE
from bnpl_features.telemetry.reference import metrics_page
from tests.pages import PAGES, ROOT, blocks, fenced, prose

SETTINGS_PAGE = ROOT / "docs" / "settings.md"
COLUMN_VARIABLES = "BNPL_COLUMN_"

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def code(page: Path) -> str:
    """All that a page shows as code, a piece a line: prose may well say that one should make sure of something."""
    return "\n".join([*(block.text for block in fenced(page)), *re.findall(r"`([^`\n]+)`", prose(page))])


def anchors(page: Path) -> set[str]:
    """The fragments that a Markdown renderer makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_feature_reference_is_the_generated_page() -> None:
    page = ROOT / "docs" / "features.md"

    assert page.read_text() == reference_page(), "run `make docs`"


def test_the_metrics_reference_is_the_generated_page() -> None:
    page = ROOT / "docs" / "metrics.md"

    assert page.read_text() == metrics_page(CATALOGUE), "run `make docs`"


def test_the_store_users_of_the_operations_page_are_the_generated_section() -> None:
    assert users_section() in (ROOT / "docs" / "operations.md").read_text(), "run `make docs`"


def test_the_catalogue_is_the_generated_page() -> None:
    page = ROOT / "docs" / "catalogue.html"

    assert page.read_text() == catalogue_page(declared_catalogue(SETS)), "run `make docs`"


@pages
def test_every_subcommand_that_is_mentioned_exists(page: Path) -> None:
    mentioned = set(re.findall(r"\bbnpl-features ([a-z][a-z-]*)", code(page)))

    assert mentioned <= set(main.commands)


@pages
def test_every_option_of_a_subcommand_that_is_mentioned_exists(page: Path) -> None:
    for name, words in re.findall(r"\bbnpl-features ([a-z][a-z-]*)([^\n|#]*)", code(page)):
        command = main.commands[name]
        parts = [command, *(command.commands.values() if isinstance(command, click.Group) else ())]
        known = {option for part in parts for parameter in part.params for option in parameter.opts}

        assert set(re.findall(r"(?<!\S)--[a-z-]+", words)) <= known, name


@pages
def test_every_make_target_that_is_mentioned_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    mentioned = set(re.findall(r"(?<![\w-])make ([a-z-]+)", code(page)))

    assert mentioned <= targets


@pages
def test_every_relative_link_resolves(page: Path) -> None:
    for target, fragment in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)", prose(page)):
        if re.match(r"[a-z]+:", target):
            continue
        linked = (page.parent / target).resolve() if target else page
        assert linked.exists(), f"{page.name} links to {target}"
        assert not fragment or fragment in anchors(linked), f"{page.name} links to {target}#{fragment}"


@pages
def test_every_file_of_the_repository_that_is_named_exists(page: Path) -> None:
    folders = "assets|automation|benchmarks|bnpl_features|checks|docs|resources|tests"
    named = re.findall(rf"(?<![\w/.<])((?:{folders})/[\w/.-]+\.(?:py|md|lua))\b", page.read_text())

    missing = [name for name in named if not ((ROOT / name).exists() or (ROOT / "bnpl_features" / name).exists())]

    assert missing == []


def test_settings_page_and_code_know_the_same_variables() -> None:
    text = SETTINGS_PAGE.read_text()

    documented = set(re.findall(r"\b(?:BNPL_[A-Z_]+|OTEL_[A-Z_]+[A-Z]|REDIS_URL)", text))

    in_code = {*configuration.VARIABLES, configuration.FILE_VARIABLE}
    assert {name for name in documented if not name.startswith(COLUMN_VARIABLES)} == in_code
    assert any(name.startswith(COLUMN_VARIABLES) for name in documented)


@pages
def test_every_variable_that_is_mentioned_exists(page: Path) -> None:
    mentioned = set(re.findall(r"\bBNPL_[A-Z_]+", page.read_text()))

    unknown = {name for name in mentioned if not name.startswith(COLUMN_VARIABLES)}
    assert unknown <= {*configuration.VARIABLES, configuration.FILE_VARIABLE}


def test_settings_page_gives_each_keys_variable_and_default() -> None:
    variables = {f"{section}.{key}": name for name, (section, key) in configuration.VARIABLES.items()}
    defaults = Settings()
    expected = {
        f"{section}.{item.name}": str(getattr(getattr(defaults, section), item.name) or "")
        for section in SECTIONS
        for item in fields(getattr(defaults, section))
    }
    zeros = {f"warehouse.{name}": "0" for name in ("threads", "maximum_bytes_billed")}
    zeros |= {f"store.{name}": "0.0" for name in ("retained_hours", "version_ttl_hours")}
    zeros |= {f"model.{name}": "0" for name in ("seed", "threads")} | {"streaming.metrics_port": "0"}
    expected["retraining.auto_promote"] = "false"
    expected |= zeros | {"transactions.relation": "transactions", "transactions.columns": ""}

    rows = re.findall(r"^\| `(\w+\.\w+)` \| (\S*) ?\| (\S+) \|", SETTINGS_PAGE.read_text(), re.MULTILINE)

    documented = {key: default.strip("`").replace("(empty)", "") for key, _, default in rows}
    assert documented == expected
    for key, variable, _ in rows:
        assert variable.strip("`") in (variables.get(key, ""), "BNPL_COLUMN_<NAME>"), key


@pages
def test_every_settings_example_is_accepted(page: Path, tmp_path: Path) -> None:
    for number, example in enumerate(blocks(page, "toml")):
        if "[[offering]]" in example:
            assert parse_prices(example, page.name)
            continue
        file = tmp_path / f"{number}.toml"
        file.write_text(example)

        secrets = dict.fromkeys(re.findall(r'"env:(\w+)"', example), "secret")
        loaded = load_settings({configuration.FILE_VARIABLE: str(file), **secrets})

        assert loaded != Settings(), tomllib.loads(example)


def test_the_store_page_gives_every_byte_of_the_record() -> None:
    layout = layout_of(BEHAVIOURAL)
    text = (ROOT / "docs" / "store.md").read_text()
    sizes = [(name, str(field.storage.width_bytes)) for name, field in zip(layout.names, layout.fields, strict=True)]

    rows = re.findall(r"^\| (\d+) \| (\d) \| `(\w+)` \|", text, re.MULTILINE)

    assert [(name, size) for _, size, name in rows] == sizes
    assert [int(offset) for offset, _, _ in rows] == list(layout.offsets)
    assert layout.offsets[0] == TAG_BYTES
    assert f"{layout.width_bytes} bytes for the {len(layout.names)} features of `{layout.feature_set}`" in text


def test_the_exit_codes_of_the_operations_page_are_all_there_are() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()

    documented = {int(code) for code in re.findall(r"^\| (\d) \|", text, re.MULTILINE)}

    kinds = [BnplFeaturesError, *BnplFeaturesError.__subclasses__()]
    assert documented == {0, *(kind.exit_code for kind in kinds)}


@pytest.fixture
def demo_store(tmp_path: Path) -> Iterator[str]:
    """An embedded store that serves the customers of the README to a reader without a key."""
    layout = layout_of(BEHAVIOURAL)
    customer_ids = ["cust_0000001", "cust_0000002"]
    columns = {field.name: np.zeros(len(customer_ids)) for field in layout.fields}
    with embedded_store(tmp_path / "store") as url:
        client = connect(url)
        publish(
            Target(client, Keyspace(), CustomerKey()),
            layout,
            [CustomerBatch(customer_ids, columns)],
            partition=(datetime.now(UTC) - timedelta(days=1)).date(),
            customers=len(customer_ids),
            provenance=Provenance(actor="test"),
        )
        client.close()
        yield url


@pytest.mark.parametrize("example", blocks(ROOT / "README.md", "python"))
def test_the_readmes_client_works_as_shown(
    example: str, demo_store: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(os.environ, "REDIS_URL", demo_store)
    monkeypatch.delenv("BNPL_CUSTOMER_KEY", raising=False)
    # A shared machine may stall for longer than the 5 ms that the example allows.
    patient = example.replace("budget_seconds=0.005", "budget_seconds=2.0")
    assert patient != example
    names: dict[str, object] = {}

    exec(compile(patient, "README.md", "exec"), names)

    names["store"].close()  # type: ignore[attr-defined]
    printed = capsys.readouterr().out
    assert "0.0 new" in printed
    assert printed.count("fresh") == 2
