"""The pages in the order of the rail, each with the least role that sees it there."""

from __future__ import annotations

from bnpl_features.console.access.roles import Role

NAVIGATION = (
    ("/", "Overview", Role.VIEWER),
    ("/versions", "Versions", Role.VIEWER),
    ("/customer", "Customer", Role.OPERATOR),
    ("/drift", "Drift", Role.VIEWER),
    ("/models", "Models", Role.VIEWER),
    ("/experiments", "Experiments", Role.VIEWER),
    ("/serving", "Serving", Role.VIEWER),
    ("/catalogue", "Catalogue", Role.VIEWER),
    ("/audit", "Audit", Role.VIEWER),
)
