"""bnpl-features: behavioural features of BNPL customers, declared once, published and served by version."""

__version__ = "0.1.0"
