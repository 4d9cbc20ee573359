"""How the finances of customers change from week to week: stress and shocks, dormant spells, new devices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bnpl_features.simulator.customers import MOST_DEVICES, Customers
from bnpl_features.simulator.population import Population

Weekly = npt.NDArray[np.float32]

_FINANCES = 1

PERSISTENCE = 0.96
"""Of stress, from a week to the next: half of a shock is gone after 17 weeks."""

CALM_DEVIATION = 0.75
"""Standard deviation of stress without shocks; stress 0 is an ordinary month, 2 is a lost job."""

SHOCK_PER_WEEK = 0.004
"""Lost job, illness, separation: about a fifth of customers a year."""

SHOCK_SHAPE = 2.0
SHOCK_SCALE = 1.1
SHOCKED_AT_START = 0.2
"""Share of customers who feel an earlier, half-forgotten shock on the first day, so that no trend starts there."""

LEAVE_PER_WEEK = 0.006
RETURN_PER_WEEK = 0.03
"""Dormancy: at any time a sixth of the customers sleep, for eight months in the mean."""

NEW_DEVICE_PER_WEEK = 0.006
"""A new phone every three years when calm."""

LONG_AGO_WEEKS = 100


@dataclass(frozen=True)
class Finances:
    """The course of one block; every array has shape [weeks, customers].

    Attributes:
        stress: financial stress, about 0 when calm; already times the population's `stress_effect`.
        active: False while dormant.
        devices: how many devices the customer has owned so far, 1..MOST_DEVICES.
        device_age: weeks since the newest one came.
    """

    stress: Weekly
    active: npt.NDArray[np.bool_]
    devices: npt.NDArray[np.int8]
    device_age: npt.NDArray[np.int8]


def follow(population: Population, block: int, customers: Customers, weeks: int) -> Finances:
    """The finances of a block over its first `weeks` weeks; more weeks leave the earlier ones as they are."""
    random = population.random(block, _FINANCES)
    size = customers.number.size
    course = Finances(
        stress=np.empty((weeks, size), dtype=np.float32),
        active=np.empty((weeks, size), dtype=np.bool_),
        devices=np.empty((weeks, size), dtype=np.int8),
        device_age=np.empty((weeks, size), dtype=np.int8),
    )
    stress = _first_stress(random, size)
    active = random.random(size, dtype=np.float32) >= LEAVE_PER_WEEK / (LEAVE_PER_WEEK + RETURN_PER_WEEK)
    devices = (1 + (random.random(size) < 0.5)).astype(np.int8)
    age = np.full(size, LONG_AGO_WEEKS, dtype=np.int8)
    for week in range(weeks):
        stress = _next_stress(stress, random)
        flip = random.random(size, dtype=np.float32) < np.where(active, LEAVE_PER_WEEK, RETURN_PER_WEEK)
        active = active ^ flip
        felt = np.float32(population.stress_effect) * stress
        bought = random.random(size, dtype=np.float32) < NEW_DEVICE_PER_WEEK * np.exp(np.minimum(0.9 * felt, 4.0))
        bought &= devices < MOST_DEVICES
        devices = devices + bought
        age = np.where(bought, 0, np.minimum(age + 1, LONG_AGO_WEEKS)).astype(np.int8)
        course.stress[week], course.active[week] = felt, active
        course.devices[week], course.device_age[week] = devices, age
    return course


def _first_stress(random: np.random.Generator, size: int) -> Weekly:
    shocked = random.random(size) < SHOCKED_AT_START
    shock = random.gamma(SHOCK_SHAPE, SHOCK_SCALE, size) * random.random(size)
    return (CALM_DEVIATION * random.standard_normal(size) + shocked * shock).astype(np.float32)


def _next_stress(stress: Weekly, random: np.random.Generator) -> Weekly:
    """Mean-reverting noise, and a shock for the few it hits."""
    noise = random.standard_normal(stress.size, dtype=np.float32)
    following = PERSISTENCE * stress + np.float32(CALM_DEVIATION * np.sqrt(1.0 - PERSISTENCE**2)) * noise
    hit = np.flatnonzero(random.random(stress.size, dtype=np.float32) < SHOCK_PER_WEEK)
    following[hit] += random.gamma(SHOCK_SHAPE, SHOCK_SCALE, hit.size).astype(np.float32)
    return following
