"""How customers check out and what the lender makes of it: device, haste, status, risk score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bnpl_features.simulator import marginals
from bnpl_features.simulator.basket import Baskets
from bnpl_features.simulator.customers import Customers, Floats
from bnpl_features.simulator.demand import Visits, logistic
from bnpl_features.simulator.finances import Finances
from bnpl_features.simulator.marginals import Codes

NEW_DEVICE_WEEKS = 4
NEW_UNTRUSTED_SHARE = 0.85
KNOWN_UNTRUSTED_SHARE = 0.015
"""A device is trusted once it is a month old; the lender's share of untrusted purchases is 4 %."""

HASTE_SHOWS = 0.9
"""Share of purchases whose checkout speed follows from their context; the rest check out as anybody."""

PENDING_SHARE, CANCELLED_SHARE = 0.004, 0.012

SCORE_MEAN, SCORE_NOISE = 0.33, 0.05
SCORE_BY_INCOME = np.array([0.055, 0.025, -0.015, -0.03, -0.045])
SCORE_BY_CREDIT = np.array([0.105, 0.03, -0.04, -0.085])
SCORE_BY_VERIFICATION = np.array([0.085, 0.02, -0.03])
SCORE_BY_CONTEXT = np.array([0.0, 0.015, 0.055])
SCORE_BY_PRODUCT_RISK = np.array([0.0, 0.02, 0.05])
SCORE_UNTRUSTED = 0.05
SCORE_PER_STRESS = 0.012
"""Points that underwriting adds, by bracket, as found in the lender's data; of stress it sees next to nothing."""


@dataclass(frozen=True)
class Checkouts:
    """How one week's purchases were made; every array has shape [purchases].

    Attributes:
        device: number of the device among the customer's, from 1.
        device_type, status, context, speed, provider: codes in the marginals' domains.
        trusted: whether the lender trusts the device.
        seconds_on_site, seconds_comparing: seconds.
        abandoned_carts: count.
        risk_score: 0..1, two decimals.
    """

    device: npt.NDArray[np.int64]
    device_type: Codes
    trusted: npt.NDArray[np.bool_]
    status: Codes
    context: Codes
    speed: Codes
    provider: Codes
    seconds_on_site: npt.NDArray[np.int64]
    seconds_comparing: npt.NDArray[np.int64]
    abandoned_carts: npt.NDArray[np.int64]
    risk_score: Floats


def check_out(
    customers: Customers, finances: Finances, week: int, visits: Visits, baskets: Baskets, random: np.random.Generator
) -> Checkouts:
    """The checkout of every visit of a week."""
    customer, stress, size = visits.customer, visits.stress, visits.customer.size
    device, trusted = _device(finances, week, customer, random)
    context = _context(customers.haste_habit[customer], stress, random)
    stays = random.random(size) < 0.8
    return Checkouts(
        device=device,
        device_type=customers.device_types[customer, device - 1],
        trusted=trusted,
        status=_status(stress, random),
        context=context,
        speed=_speed(context, random),
        provider=np.where(stays, customers.provider[customer], random.integers(0, 4, size)).astype(np.int8),
        seconds_on_site=_within(marginals.SECONDS_ON_SITE, context, random),
        seconds_comparing=_within(marginals.SECONDS_COMPARING, context, random),
        abandoned_carts=random.integers(0, 4, size),
        risk_score=_risk_score(customers, visits, baskets, context, trusted, random),
    )


def _device(
    finances: Finances, week: int, customer: npt.NDArray[np.int64], random: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Number of the device and whether it is trusted; people mostly use their newest one."""
    owned = finances.devices[week][customer].astype(np.int64)
    device = owned - np.floor(owned * random.random(customer.size) ** 3).astype(np.int64)
    new = (device == owned) & (finances.device_age[week][customer] < NEW_DEVICE_WEEKS)
    doubt = np.where(new, NEW_UNTRUSTED_SHARE, KNOWN_UNTRUSTED_SHARE)
    return device, random.random(customer.size) >= doubt


def _context(habit: Floats, stress: Floats, random: np.random.Generator) -> Codes:
    rushed = random.random(habit.size) < logistic(-3.95 + 0.5 * habit + 0.9 * stress)
    impulse = random.random(habit.size) < logistic(-1.45 + 0.5 * habit + 0.2 * stress)
    return np.where(rushed, 2, impulse).astype(np.int8)


def _speed(context: Codes, random: np.random.Generator) -> Codes:
    unhurried = (random.random(context.size) < 0.6).astype(np.int8)
    shows = random.random(context.size) < HASTE_SHOWS
    return np.where(shows & (context > 0), context + 1, unhurried).astype(np.int8)


def _status(stress: Floats, random: np.random.Generator) -> Codes:
    """Codes in STATUS; a card without cover fails more often under stress."""
    failed = np.minimum(0.02 * np.exp(0.5 * stress), 0.3)
    uniform = random.random(stress.size)
    edges = np.stack([failed, failed + CANCELLED_SHARE, failed + CANCELLED_SHARE + PENDING_SHARE])
    status: Codes = np.array([2, 3, 1, 0], dtype=np.int8)[(uniform >= edges).sum(axis=0)]
    return status


def _within(ranges: npt.NDArray[np.int64], context: Codes, random: np.random.Generator) -> npt.NDArray[np.int64]:
    low, high = ranges[:, 0][context], ranges[:, 1][context]
    return low + np.floor(random.random(context.size) * (high - low + 1)).astype(np.int64)


def _risk_score(
    customers: Customers,
    visits: Visits,
    baskets: Baskets,
    context: Codes,
    trusted: npt.NDArray[np.bool_],
    random: np.random.Generator,
) -> Floats:
    profile = (
        SCORE_BY_INCOME[customers.income]
        + SCORE_BY_CREDIT[customers.credit_score]
        + SCORE_BY_VERIFICATION[customers.verification]
    )
    score = SCORE_MEAN + profile[visits.customer] + SCORE_BY_CONTEXT[context]
    score += SCORE_BY_PRODUCT_RISK[baskets.product_risk] + SCORE_UNTRUSTED * ~trusted
    score += SCORE_PER_STRESS * visits.stress + SCORE_NOISE * random.standard_normal(context.size)
    rounded: Floats = np.round(np.clip(score, 0.01, 0.99), 2)
    return rounded
