"""A catalogue -> one HTML page that needs nothing else: no network, no other file, and to be read no script.

Style and script stand in `page.css` and `page.js` beside this module; the page allows exactly these two, by their
hashes, and no request at all.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape
from importlib.resources import files

from bnpl_features.catalogue.entries import Bin, Catalogue, Distribution, Entry, Observed
from bnpl_features.derive.query import PARTITION_PARAMETER_NOTE

MINI_WIDTH, MINI_HEIGHT, FULL_WIDTH = 136, 32, 100

_BRACES_NOTE = "In a definition {column} is the column inside the feature's window, and NULL outside."

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src '{style_hash}'; \
script-src '{script_hash}'; base-uri 'none'; form-action 'none'">
<title>Feature catalogue: {sets}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>Feature catalogue</h1>
<p>{head}</p>
<p class="quiet">{note}</p>
</header>
<main>
<div id="controls" role="search" aria-label="Features" hidden>
<label>Search <input id="search" type="search" autocomplete="off" placeholder="name, meaning, SQL, owner ( / )"></label>
{selects}
<output id="count" aria-live="polite"></output>
</div>
<div id="features">
{features}
</div>
</main>
<script>{script}</script>
</body>
</html>
"""

_FEATURE = """<details id="{name}" data-group="{group}" data-unit="{unit}" data-nullable="{nullable}" \
data-drift="{drift}" data-importance="{importance}">
<summary><div><h2>{name}</h2><p>{meaning}</p></div>
<div class="facts quiet"><span>{group}</span><span>{unit}, {window}</span></div>
<div class="facts">{glance}</div></summary>
<dl>
{facts}
</dl>
</details>"""


def catalogue_page(catalogue: Catalogue) -> str:
    style, script = (files(__package__).joinpath(name).read_text() for name in ("page.css", "page.js"))
    return _PAGE.format(
        style_hash=_hash(style),
        script_hash=_hash(script),
        sets=escape(", ".join(catalogue.sets)),
        style=style,
        head=_head(catalogue),
        note=escape(f"{PARTITION_PARAMETER_NOTE} {_BRACES_NOTE}"),
        selects=_selects(catalogue),
        features="\n".join(_feature(entry, catalogue) for entry in catalogue.entries),
        script=script,
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _head(catalogue: Catalogue) -> str:
    said = [f"{len(catalogue.entries)} features in {', '.join(catalogue.sets)}, release {catalogue.release}."]
    if not catalogue.observed:
        said.append("From the declarations only; `bnpl-features catalogue` adds distributions, drift and importance.")
        return escape(" ".join(said))
    days = sorted({one.distribution.partition for one in catalogue.observed.values() if one.distribution})
    said.append(f"Distributions of {days[-1]}." if days else "No partition has been profiled yet.")
    said.append(f"Importance in {catalogue.champion}." if catalogue.champion else "No champion reads features yet.")
    return escape(" ".join(said))


def _selects(catalogue: Catalogue) -> str:
    entries = catalogue.entries
    orders = {"declared": "as declared", "name": "by name"}
    if catalogue.observed:
        orders |= {"drift": "most drift first", "importance": "most important first"}
    return "\n".join(
        [
            _select("group", "Group", {"": "all"} | {one.group: one.group for one in entries}),
            _select("unit", "Unit", {"": "all"} | {one: one for one in sorted({entry.unit for entry in entries})}),
            _select("nullable", "Null", {"": "all", "yes": "may be null", "no": "never null"}),
            _select("order", "Order", orders),
        ]
    )


def _select(name: str, label: str, options: dict[str, str]) -> str:
    listed = "".join(f'<option value="{escape(value)}">{escape(text)}</option>' for value, text in options.items())
    return f'<label>{label} <select id="{name}">{listed}</select></label>'


def _feature(entry: Entry, catalogue: Catalogue) -> str:
    observed = catalogue.observed.get(entry.name, Observed())
    shown = observed.distribution
    return _FEATURE.format(
        name=escape(entry.name),
        group=escape(entry.group),
        unit=escape(entry.unit),
        window=escape(entry.window),
        meaning=escape(entry.meaning),
        nullable="yes" if entry.is_nullable else "no",
        drift=f"{(shown and shown.stability_index) or 0.0:.4f}",
        importance=f"{observed.importance.gain_share if observed.importance else 0.0:.6f}",
        glance=_glance(observed),
        facts="\n".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in _facts(entry, observed, catalogue)),
    )


def _glance(observed: Observed) -> str:
    """What the folded entry shows of today."""
    parts = []
    if observed.distribution:
        parts.append(_mini(observed.distribution))
        parts.append(f"<span>{_drift(observed.distribution)}</span>")
    if observed.importance:
        parts.append(f'<span class="quiet">gain {observed.importance.gain_share:.1%}</span>')
    return "".join(parts)


def _facts(entry: Entry, observed: Observed, catalogue: Catalogue) -> list[tuple[str, str]]:
    facts = [("Definition", f"<pre>{escape(entry.sql)}</pre>")]
    for name, sql in entry.derived.items():
        said = "over these rows" if name == "rows" else f"where <code>{escape(name)}</code> is"
        facts.append((said, f"<pre>{escape(sql)}</pre>"))
    facts += [
        ("Owner", escape(entry.owner)),
        ("Values", escape(f"{entry.bounds}; {entry.null}")),
        ("Unknown customer", escape(entry.unknown_customer)),
        ("Storage", escape(f"{entry.storage}, {entry.stored_in_bytes} B; largest error {entry.largest_error}")),
        ("Risk direction", escape(entry.risk_direction)),
        ("Since", escape(f"release {entry.since}")),
        ("Feature sets", escape(", ".join(entry.sets))),
    ]
    if entry.segments:
        facts.append(("Segments", escape(", ".join(entry.segments))))
    if not catalogue.observed:
        return facts
    facts.append(("Models", escape(", ".join(observed.models) or "none")))
    if observed.importance:
        one = observed.importance
        facts.append(
            (
                "Importance",
                escape(f"{one.gain_share:.2%} of the gain in {catalogue.champion}, place {one.place} of {one.inputs}"),
            )
        )
    if observed.distribution:
        against = f" against up to {catalogue.reference_days} days before {observed.distribution.partition}"
        facts.append(("Drift", _drift(observed.distribution) + escape(against)))
        facts.append(("Distribution", _table(observed.distribution)))
    return facts


def _drift(shown: Distribution) -> str:
    if shown.stability_index is None:
        return '<span class="quiet">no days to compare</span>'
    return f'<span class="{shown.severity}">PSI {shown.stability_index:.3f}, {shown.severity}</span>'


def _mini(shown: Distribution) -> str:
    """A picture of the table that the unfolded entry has, so that readers of text miss nothing."""
    largest = max((one.customers for one in shown.bins), default=0) or 1
    width = MINI_WIDTH / max(len(shown.bins), 1)
    bars = "".join(
        f'<rect x="{position * width:.1f}" y="{MINI_HEIGHT - height:.1f}" '
        f'width="{max(width - 1, 1):.1f}" height="{height:.1f}"/>'
        for position, one in enumerate(shown.bins)
        if (height := MINI_HEIGHT * one.customers / largest)
    )
    return (
        f'<svg class="mini" viewBox="0 0 {MINI_WIDTH} {MINI_HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
        f"{bars}</svg>"
    )


def _table(shown: Distribution) -> str:
    rows = [*shown.bins, Bin("null", shown.nulls)] if shown.nulls else list(shown.bins)
    total = shown.customers or 1
    cells = "".join(
        f'<tr><th scope="row">{escape(one.label)}</th><td>{one.customers:,}</td><td>{one.customers / total:.1%}</td>'
        f'<td><svg class="scale" viewBox="0 0 {FULL_WIDTH} 10" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="bar" width="{FULL_WIDTH * one.customers / total:.1f}" height="10"/></svg></td></tr>'
        for one in rows
    )
    return f"<table><caption>{shown.customers:,} customers on {shown.partition}</caption><tbody>{cells}</tbody></table>"
