"""An evaluation as a picture: ROC, calibration, lift and default rate by tenth, of every score in one image."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bnpl_features.risk_model.metrics import Curve, Floats, curve_of, decile_default_rates, rank, reliability, roc_auc
from bnpl_features.risk_model.rules import RULES

_SIZE_INCHES = (10.0, 8.0)
_DOTS_PER_INCH = 72


def evaluation_png(scores: Mapping[str, Floats], defaulted: NDArray[np.uint8]) -> bytes:
    """A PNG with four charts of scores of shape [rows]; what is called `rules` has no calibration to show."""
    from matplotlib.figure import Figure  # half a second, and only here

    curves = {name: curve_of(rank(score, defaulted)) for name, score in scores.items()}
    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    (roc, calibration), (lift, deciles) = figure.subplots(2, 2)
    for name, curve in curves.items():
        _roc(roc, name, curve)
        if name != RULES:
            _calibration(calibration, name, curve)
        _lift(lift, name, curve)
    _deciles(deciles, curves)
    roc.plot([0, 1], [0, 1], color="grey", linewidth=0.5)
    roc.set(title="ROC", xlabel="share of repaid purchases flagged", ylabel="share of defaults caught")
    top = calibration.get_xlim()[1]
    calibration.plot([0, top], [0, top], color="grey", linewidth=0.5)
    calibration.set(title="Calibration, ten bins", xlabel="mean probability", ylabel="default rate")
    lift.set(title="Lift", xlabel="riskiest share of purchases", ylabel="default rate / overall default rate")
    deciles.set(title="Default rate by tenth, riskiest first", xlabel="tenth", ylabel="default rate")
    for axes in (roc, calibration, lift, deciles):
        axes.legend(fontsize=8)
    written = io.BytesIO()
    figure.savefig(written, format="png", dpi=_DOTS_PER_INCH, metadata={"Software": None})
    return written.getvalue()


def markdown_image(png: bytes, title: str) -> str:
    """The picture inside a line of Markdown, as Dagster's metadata shows it."""
    return f"![{title}](data:image/png;base64,{base64.b64encode(png).decode()})"


def _roc(axes: Any, name: str, curve: Curve) -> None:
    repaid = curve.purchases - curve.defaults
    axes.plot(*_thinned(repaid / repaid[-1], curve.defaults / curve.defaults[-1]), label=f"{name} {roc_auc(curve):.3f}")


def _calibration(axes: Any, name: str, curve: Curve) -> None:
    scores, rates = reliability(curve)
    axes.plot(scores, rates, marker="o", markersize=3, label=name)


def _lift(axes: Any, name: str, curve: Curve) -> None:
    shares = np.linspace(0.01, 1.0, 100)
    lift = [curve.defaults_among(share) / (share * curve.defaults[-1]) for share in shares]
    axes.plot(shares, lift, label=name)


def _deciles(axes: Any, curves: Mapping[str, Curve]) -> None:
    width = 0.8 / len(curves)
    for position, (name, curve) in enumerate(curves.items()):
        axes.bar(
            np.arange(1, 11) + (position - (len(curves) - 1) / 2) * width,
            decile_default_rates(curve),
            width,
            label=name,
        )


def _thinned(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """No more points than a picture shows."""
    keep = np.unique(np.linspace(0, x.size - 1, 500).astype(np.intp))
    return x[keep], y[keep]
