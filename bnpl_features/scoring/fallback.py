"""What is done where a customer's features are not what the behavioural model was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from bnpl_features.errors import SettingsError
from bnpl_features.store.reading.lookup import Status


class Action(StrEnum):
    """`behavioural` scores with the features at hand (old ones, or declared defaults); `refuse` gives no score: a
    person has to look at the purchase."""

    TRANSACTION_ONLY = "transaction_only"
    BEHAVIOURAL = "behavioural"
    REFUSE = "refuse"


@dataclass(frozen=True)
class Policy:
    """The action for each status that is not `fresh`."""

    unknown_customer: Action = Action.TRANSACTION_ONLY
    stale: Action = Action.TRANSACTION_ONLY
    unavailable: Action = Action.TRANSACTION_ONLY

    @classmethod
    def of(cls, named: Mapping[str, str]) -> Policy:
        """From names, as settings give them; raises `SettingsError` naming the one that is wrong."""
        try:
            return cls(**{status: Action(action) for status, action in named.items()})
        except ValueError as error:
            choices = ", ".join(Action)
            raise SettingsError(f"scoring: a fallback action {error}; choose one of {choices}") from error

    def action(self, status: Status) -> Action:
        if status is Status.FRESH:
            return Action.BEHAVIOURAL
        return getattr(self, status.value)  # type: ignore[no-any-return]
