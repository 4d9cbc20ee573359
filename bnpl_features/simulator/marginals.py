"""What the lender's own simulator produces: the values of each column, and how often each occurs.

Source: 248,832 purchases of 74,778 customers, 2026-07-01 to 2026-11-20. Values keep the lender's spelling.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Domain = Mapping[str, float]
"""Value -> how often it occurs; order matters where the values are ordered."""

AGE: Domain = {"18-24": 0.13, "25-34": 0.19, "35-44": 0.19, "45-54": 0.19, "55+": 0.30}
INCOME: Domain = {"<25k": 0.15, "25k-50k": 0.276, "50k-75k": 0.23, "75k-100k": 0.181, "100k+": 0.163}
CREDIT_SCORE: Domain = {"poor": 0.152, "fair": 0.35, "good": 0.348, "excellent": 0.15}
VERIFICATION: Domain = {"unverified": 0.10, "partial": 0.298, "verified": 0.602}
ADDRESS: Domain = {"frequent_mover": 0.201, "new": 0.202, "stable": 0.597}
CREDIT_LIMITS_USD = (500.0, 1000.0, 1500.0, 2500.0, 5000.0)

CATEGORY: Domain = {"electronics": 0.344, "clothing": 0.246, "home": 0.204, "beauty": 0.128, "sports": 0.078}
MEDIAN_AMOUNT_USD = np.array([175.0, 68.0, 127.0, 38.5, 89.0])
"""Per category, in the order of CATEGORY; the lender's median less what customers' scale and stress add."""

PRODUCT_RISK = ("low", "medium", "high")
DEVICE_TYPE: Domain = {"mobile": 0.551, "desktop": 0.30, "tablet": 0.149}
PROVIDER: Domain = {"affirm": 0.25, "afterpay": 0.25, "klarna": 0.25, "sezzle": 0.25}
STATUS = ("completed", "pending", "failed", "cancelled")
CONTEXT = ("normal", "impulse", "rushed")
CHECKOUT_SPEED = ("slow", "normal", "fast", "very_fast")
RISK_LEVEL = ("low", "medium", "high", "very_high")
RISK_LEVEL_FROM = np.array([0.3, 0.6, 0.8])
"""Risk scores from which medium, high and very_high start."""

SECONDS_ON_SITE = np.array([[180, 900], [120, 300], [30, 120]])
SECONDS_COMPARING = np.array([[60, 300], [0, 60], [0, 30]])
"""Range [from, to] per purchase context, in the order of CONTEXT."""

HOUR_BY_DAY = np.array([0.0] * 6 + [0.01] * 3 + [0.078] * 9 + [0.04] * 4 + [0.0] * 2)
HOUR_AT_NIGHT = np.array([0.1] * 6 + [0.0] * 16 + [0.25, 0.15])
"""Relative purchases per UTC hour. Night is 22..23 and 0..5, as the temporal features count it."""

DAY_OF_WEEK = np.array([1.106, 1.05, 0.987, 1.127, 1.246, 0.791, 0.70])
"""Relative purchases from Monday to Sunday; mean about 1."""

# fmt: off
STATES = (
    "AK", "AL", "AR", "AS", "AZ", "CA", "CO", "CT", "DC", "DE", "FL", "FM", "GA", "GU", "HI",
    "IA", "ID", "IL", "IN", "KS", "KY", "LA", "MA", "MD", "ME", "MH", "MI", "MN", "MO", "MP",
    "MS", "MT", "NC", "ND", "NE", "NH", "NJ", "NM", "NV", "NY", "OH", "OK", "OR", "PA", "PR",
    "PW", "RI", "SC", "SD", "TN", "TX", "UT", "VA", "VI", "VT", "WA", "WI", "WV", "WY",
)
# fmt: on

INSTALLMENTS = (4, 6)
DAYS_BETWEEN_INSTALLMENTS = 14
MISSED_AT_INSTALLMENT = np.array([[0.2, 0.4, 0.3, 0.1, 0.0, 0.0], [0.04, 0.16, 0.29, 0.3, 0.17, 0.04]])
"""Which installment is the first missed one, for loans of 4 and of 6, in the order of INSTALLMENTS."""

Codes = npt.NDArray[np.int8]


def draw(frequencies: npt.ArrayLike, uniform: npt.NDArray[np.float64]) -> Codes:
    """Positions in `frequencies` (any scale) for uniform numbers in [0, 1), by inverse distribution."""
    cumulative = np.cumsum(np.asarray(frequencies, dtype=np.float64))
    return np.searchsorted(cumulative[:-1] / cumulative[-1], uniform, side="right").astype(np.int8)


def draw_from(domain: Domain, uniform: npt.NDArray[np.float64]) -> Codes:
    return draw(list(domain.values()), uniform)


def by_rank(domain: Domain, standing: npt.NDArray[np.float64], standard_deviation: float) -> Codes:
    """Positions in an ordered domain, worst first, for a normal `standing`: the marginals stay the domain's."""
    # The logistic curve of slope 1.702 is within 0.01 of the normal distribution function.
    return draw_from(domain, 1.0 / (1.0 + np.exp(-1.702 * standing / standard_deviation)))
