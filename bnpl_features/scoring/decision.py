"""What a probability of default means to the checkout: approve, review or decline."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bnpl_features.errors import SettingsError


class Decision(StrEnum):
    APPROVE = "approve"
    REVIEW = "review"
    DECLINE = "decline"


@dataclass(frozen=True)
class Bands:
    """Below `review_from` a purchase is approved, from `decline_from` on declined, between them reviewed."""

    review_from: float = 0.10
    decline_from: float = 0.20

    def __post_init__(self) -> None:
        if not 0.0 <= self.review_from <= self.decline_from <= 1.0:
            raise SettingsError(
                f"scoring.review_from {self.review_from} and scoring.decline_from {self.decline_from}: choose "
                "probabilities with review_from no greater than decline_from"
            )

    def decision(self, probability: float) -> Decision:
        if probability >= self.decline_from:
            return Decision.DECLINE
        return Decision.REVIEW if probability >= self.review_from else Decision.APPROVE
