"""The small lender, for the tests of the risk model."""

from tests.lender import lender

__all__ = ["lender"]
