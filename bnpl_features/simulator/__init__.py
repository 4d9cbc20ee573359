"""A population of BNPL customers whose finances change, what they buy meanwhile, and faults to put into that data."""

from bnpl_features.simulator.faults import (
    ConstantColumn,
    DriftedSegment,
    DuplicatedRows,
    Fault,
    LostRows,
    MissingDays,
    MissingSource,
    NullColumn,
    Sale,
    ScaledColumn,
)
from bnpl_features.simulator.injection import inject
from bnpl_features.simulator.population import Population
from bnpl_features.simulator.schema import TRANSACTIONS
from bnpl_features.simulator.simulate import simulate, simulate_block

__all__ = [
    "TRANSACTIONS",
    "ConstantColumn",
    "DriftedSegment",
    "DuplicatedRows",
    "Fault",
    "LostRows",
    "MissingDays",
    "MissingSource",
    "NullColumn",
    "Population",
    "Sale",
    "ScaledColumn",
    "inject",
    "simulate",
    "simulate_block",
]
