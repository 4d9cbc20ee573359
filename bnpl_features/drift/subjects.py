"""Every subject that is profiled, in one tuple, and which of them are flows."""

from __future__ import annotations

from bnpl_features.derive.profiled import (
    OUTCOMES,
    PREDICTIONS,
    TRANSACTIONS,
    Subject,
    group_subject,
    segments_subject,
    vectors_subject,
)
from bnpl_features.features.catalog import ALL_FEATURES, GROUPS

GROUP_SUBJECTS: tuple[Subject, ...] = tuple(group_subject(group) for group in GROUPS)
VECTORS: Subject = vectors_subject(ALL_FEATURES)
SEGMENTS: Subject = segments_subject(ALL_FEATURES)
ALL_SUBJECTS: tuple[Subject, ...] = (*GROUP_SUBJECTS, VECTORS, SEGMENTS, TRANSACTIONS, PREDICTIONS, OUTCOMES)

DIVIDED = frozenset({VECTORS.name, SEGMENTS.name})
"""Of interest by segment only: whole, the same features are profiled by their groups."""

FLOWS = frozenset({TRANSACTIONS.name, PREDICTIONS.name, OUTCOMES.name})
"""Their days are separate rows; the others hold the same customers day after day."""

GROUP_OF: dict[str, str] = {feature.name: group.name for group in GROUPS for feature in group.features}
"""Feature -> the name of its group, under which findings about segments of customers are kept."""


def subject_named(name: str) -> Subject:
    """Raises `KeyError` with the names that exist."""
    for subject in ALL_SUBJECTS:
        if subject.name == name:
            return subject
    raise KeyError(f"nothing called {name!r} is profiled; there are {', '.join(one.name for one in ALL_SUBJECTS)}")
