"""What only an extra of the package installs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bnpl_features.errors import SettingsError

if TYPE_CHECKING:
    pass


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Imports of what only the named extra installs."""
    try:
        yield
    except ImportError as error:
        raise SettingsError(
            f"what is configured needs {error.name}, which is not installed; pip install 'bnpl-features[{name}]'"
        ) from error
