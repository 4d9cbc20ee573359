"""The command line on real parts: a folder, a warehouse and a namespace of the test's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bnpl_features.cli.main import commands as main
from bnpl_features.store.embedded import embedded_store
from tests.bnpl_features.store.shop import SECRET, Shop, new_shop


@dataclass(frozen=True)
class CommandLine:
    """`bnpl-features` as typed in `folder`."""

    folder: Path
    shop: Shop

    def __call__(self, *words: str) -> Result:
        """Exit code and output; whatever happens, no traceback."""
        result = CliRunner().invoke(main, words)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
        assert "Traceback" not in result.output
        return result

    def done(self, *words: str) -> str:
        """What a command that succeeds prints."""
        result = self(*words)
        assert result.exit_code == 0, result.output
        return result.stdout

    def refused(self, *words: str, code: int = 2) -> str:
        """What a command that fails says, on one line however long, with nothing on stdout."""
        result = self(*words)
        assert result.exit_code == code, result.output
        assert result.stdout == ""
        return result.stderr

    def json(self, *words: str) -> Any:
        """Everything on stdout, as JSON."""
        return json.loads(self.done(*words, "--json"))


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with embedded_store(tmp_path_factory.mktemp("valkey")) as url:
        yield url


@pytest.fixture
def cli(valkey: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    shop = new_shop(valkey)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BNPL_WAREHOUSE_FOLDER", str(tmp_path / "warehouse"))
    monkeypatch.setenv("BNPL_NAMESPACE", shop.namespace)
    monkeypatch.setenv("BNPL_CUSTOMER_KEY", SECRET.decode())
    monkeypatch.setenv("REDIS_URL", valkey)
    return CommandLine(tmp_path, shop)
