"""Statements that hold however often one looks: confidence sequences for differences, a test of the split.

Sources: I. Waudby-Smith, D. Arbour, R. Sinha, E. Kennedy and A. Ramdas, "Time-uniform central limit theory and
asymptotic confidence sequences", Annals of Statistics 52(6), 2024, theorem 2.2 and section 3; M. Lindon and A. Malek,
"Anytime-valid inference for multinomial count data", NeurIPS 2022. Why not a library: docs/decisions/0032-*.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

LEVEL = 0.95
TIGHTEST_AT = 20_000
"""Customers at which the sequence is narrowest; elsewhere it is valid, and a little wider."""

FEWEST_EVENTS = 25
"""Of each kind and arm, before the normal approximation behind the sequence is trusted."""

_CONCENTRATION = 100.0
"""Weight of the prior at the intended shares: how large a mismatch is looked for."""


@dataclass(frozen=True)
class Sample:
    """Customers of an arm, and how many of them an event happened to; one yes or no a customer."""

    customers: int
    events: int

    @property
    def rate(self) -> float:
        return self.events / self.customers if self.customers else math.nan

    @property
    def is_large_enough(self) -> bool:
        return min(self.events, self.customers - self.events) >= FEWEST_EVENTS


@dataclass(frozen=True)
class Difference:
    """Treatment less control, with bounds that hold at all times together; infinite until there is enough."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:+.4f} ({self.low:+.4f} to {self.high:+.4f})"


def difference(treatment: Sample, control: Sample, level: float = LEVEL) -> Difference:
    """The difference of rates; with probability `level` the truth never leaves the bounds, at any look."""
    value = treatment.rate - control.rate
    if not (treatment.is_large_enough and control.is_large_enough):
        return Difference(value, -math.inf, math.inf)
    customers = treatment.customers + control.customers
    variance = sum(customers * one.rate * (1.0 - one.rate) / one.customers for one in (treatment, control))
    half = math.sqrt(variance) * half_width(customers, 1.0 - level)
    return Difference(value, value - half, value + half)


def half_width(customers: int, alpha: float, tightest_at: int = TIGHTEST_AT) -> float:
    """Of the confidence sequence for a mean with unit variance after that many customers."""
    rho2 = (-2.0 * math.log(alpha) + math.log(1.0 - 2.0 * math.log(alpha))) / tightest_at
    scaled = customers * rho2 + 1.0
    return math.sqrt(2.0 * scaled / (customers**2 * rho2) * math.log(math.sqrt(scaled) / alpha))


def split_evidence(customers: Mapping[str, int], shares: Mapping[str, float]) -> float:
    """Evidence against the intended split: an e-value, which under the intended one exceeds k at any time with
    probability at most 1/k. About 1 is none; 1,000 is beyond doubt."""
    total = sum(shares.values())
    intended = {arm: share / total for arm, share in shares.items() if share > 0.0}
    if not intended or any(count and arm not in intended for arm, count in customers.items()):
        return math.inf
    log_evidence = math.lgamma(_CONCENTRATION) - math.lgamma(_CONCENTRATION + sum(customers.values()))
    for arm, share in intended.items():
        count = customers.get(arm, 0)
        prior = _CONCENTRATION * share
        log_evidence += math.lgamma(prior + count) - math.lgamma(prior) - count * math.log(share)
    return math.exp(min(log_evidence, 700.0))
