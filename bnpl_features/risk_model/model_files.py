"""A model as files: LightGBM's own text, and all else as JSON; readable without a registry.

model.txt     the trees
model.json    name, inputs with their encodings, layout, calibration, fingerprint, provenance
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bnpl_features.derive.layout import Layout
from bnpl_features.errors import LayoutMismatch, ModelMissing
from bnpl_features.features.feature import DeclarationError
from bnpl_features.risk_model.calibration import Calibration
from bnpl_features.risk_model.model import Inputs, Model
from bnpl_features.risk_model.purchase_inputs import PurchaseInput

TREES, DESCRIPTION = "model.txt", "model.json"


def write_model(model: Model, folder: Path) -> Path:
    """Write the model's two files into `folder`, which is made; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TREES).write_text(model.booster.model_to_string())
    described = _declared(model.name, model.inputs, model.calibration)
    described |= {"fingerprint": model.fingerprint, "provenance": dict(model.provenance)}
    (folder / DESCRIPTION).write_text(json.dumps(described, indent=1))
    return folder


def read_model(folder: Path, *, version: int = 0) -> Model:
    """The model in `folder`; raises `ModelMissing` where there is none, or where its files do not belong together."""
    import lightgbm as lgb

    try:
        trees = (folder / TREES).read_text()
        described = json.loads((folder / DESCRIPTION).read_text())
        inputs = Inputs(
            tuple(PurchaseInput.from_json(one) for one in described["purchase_inputs"]),
            Layout.from_json(described["layout"]) if described["layout"] else None,
            tuple(described.get("velocity", ())),
        )
        calibration = Calibration(**described["calibration"])
        name, stated, provenance = described["name"], described["fingerprint"], described["provenance"]
    except (OSError, ValueError, KeyError, TypeError, DeclarationError, LayoutMismatch) as error:
        raise ModelMissing(
            f"{folder} holds no model that this release can read ({type(error).__name__}: {error}); "
            "choose another version, or train again"
        ) from error
    if fingerprint_of(name, inputs, calibration, trees) != stated:
        raise ModelMissing(
            f"the files in {folder} do not belong together: {DESCRIPTION} says fingerprint {stated}; "
            "choose another version, or train again"
        )
    return Model(name, stated, inputs, calibration, lgb.Booster(model_str=trees), version, provenance)


def fingerprint_of(name: str, inputs: Inputs, calibration: Calibration, trees: str) -> str:
    """32 hex digits over what a score depends on: inputs, layout, calibration, trees."""
    declared = json.dumps(_declared(name, inputs, calibration), sort_keys=True)
    return hashlib.blake2b((declared + trees).encode(), digest_size=16).hexdigest()


def _declared(name: str, inputs: Inputs, calibration: Calibration) -> dict[str, Any]:
    scale: Mapping[str, float] = {"slope": calibration.slope, "intercept": calibration.intercept}
    # Left out where there is none, so that earlier models keep their fingerprints.
    velocity = {"velocity": list(inputs.velocity)} if inputs.velocity else {}
    return velocity | {
        "name": name,
        "purchase_inputs": [one.to_json() for one in inputs.purchase],
        "layout": inputs.layout.to_json() if inputs.layout else None,
        "calibration": dict(scale),
    }
