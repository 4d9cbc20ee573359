"""What an alert is. It names jobs, partitions, checks and causes, never a customer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MOST_TEXT = 2_500
"""Characters; Slack cuts a message off at 4,000, a telephone much earlier."""


class Severity(StrEnum):
    """`ERROR` is for whoever is on call, `INFO` for the record."""

    ERROR = "error"
    INFO = "info"


@dataclass(frozen=True)
class Alert:
    """`key` says what it is about: another alert with the same key is the same news. `text` has what is wrong first,
    then where to look; `link` leads to the run, and may be empty."""

    key: str
    title: str
    text: str
    severity: Severity = Severity.ERROR
    link: str = ""

    @property
    def body(self) -> str:
        """The text as it is sent: not endless, with the link."""
        text = self.text if len(self.text) <= MOST_TEXT else f"{self.text[:MOST_TEXT]} ..."
        return f"{text}\n{self.link}" if self.link else text
