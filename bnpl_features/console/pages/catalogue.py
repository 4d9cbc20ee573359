"""The catalogue of features: searched, and one of them in full."""

from __future__ import annotations

from starlette.responses import Response

from bnpl_features.console.figures.catalogue import CatalogueFilter, catalogue_figures, feature_row
from bnpl_features.console.visit import Visit
from bnpl_features.errors import InputError


def catalogue_page(visit: Visit) -> Response:
    asked = visit.request.query_params
    wanted = CatalogueFilter(asked.get("words", ""), asked.get("group", ""), asked.get("set", ""))
    return visit.page("catalogue.html", found=catalogue_figures(visit.parts, wanted), wanted=wanted)


def feature_page(visit: Visit) -> Response:
    try:
        row, found = feature_row(visit.parts, visit.request.path_params["name"])
    except InputError as error:
        return visit.refusal(404, "No such feature", str(error))
    return visit.page("feature.html", row=row, found=found)
