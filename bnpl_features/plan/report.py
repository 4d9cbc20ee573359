"""A plan as tables, in the terminal and on the page docs/bigquery-plan.md."""

from __future__ import annotations

from collections.abc import Sequence

from bnpl_features.plan.planning import DAYS_A_MONTH, GIB, Plan, Planned
from bnpl_features.plan.prices import WarehousePrices
from bnpl_features.plan.statement import Api

STATEMENTS = ("step", "statement", "over", "GiB", "how", "USD on demand", "slot-seconds, estimated")
STEPS = ("step", "statements", "GiB scanned", "GiB by storage reads", "USD on demand", "slot-seconds, estimated")


def statement_rows(plan: Plan) -> list[tuple[str, ...]]:
    return [
        (one.step, one.purpose, one.api, _gib(one.bytes), one.how, _usd(one.usd_on_demand), _seconds([one]))
        for one in plan.statements
    ]


def step_rows(plan: Plan) -> list[tuple[str, ...]]:
    """A row a step of the job, and one of all."""
    steps = dict.fromkeys(one.step for one in plan.statements)
    rows = [_row(step, [one for one in plan.statements if one.step == step]) for step in steps]
    return [*rows, _row("all", plan.statements)]


def totals(plan: Plan, prices: WarehousePrices) -> dict[str, str]:
    """Of a day and of a month, for people."""
    month = plan.usd_per_day * DAYS_A_MONTH
    found = {
        "scanned by queries a day": f"{_gib(plan.bytes(Api.QUERY))} GiB",
        "read over the Storage Read API a day": f"{_gib(plan.bytes(Api.STORAGE_READ))} GiB",
        "on demand": f"{_usd(plan.usd_per_day)} USD a day, {month:,.2f} USD a month",
    }
    hours = plan.slot_hours_per_day
    if hours is not None:
        reads = plan.usd_per_day_storage_read
        found["slot-hours a day, estimated"] = f"{hours:,.2f}"
        for edition, price in prices.editions.items():
            usd = hours * price + reads
            found[f"or by slots, {edition}"] = f"{_usd(usd)} USD a day, {usd * DAYS_A_MONTH:,.2f} USD a month"
    if plan.stored:
        kept = plan.stored
        found["stored"] = f"{kept.active_gib:,.0f} GiB active, {kept.long_term_gib:,.0f} GiB long-term"
        found["storage"] = f"{kept.usd_per_month:,.2f} USD a month"
    return found


def page_section(plans: Sequence[Plan], prices: WarehousePrices, source: str) -> str:
    """The tables as Markdown."""
    parts = [f"Sample: `{source}`. List prices as of {prices.as_of}, {prices.region}.\n"]
    for plan in plans:
        size = plan.size
        assert size is not None
        parts.append(f"### {size.customers:,} customers\n")
        parts.append(f"{size.purchases_per_customer:.1f} purchases each a year. Bytes are computed.\n")
        parts.append(_markdown(STEPS, step_rows(plan)))
        parts.append(_markdown(("", "a day and a month"), list(totals(plan, prices).items())))
    return "\n".join(parts)


def _row(name: str, some: Sequence[Planned]) -> tuple[str, ...]:
    scanned = sum(one.bytes for one in some if one.api is Api.QUERY)
    read = sum(one.bytes for one in some if one.api is Api.STORAGE_READ)
    usd = sum(one.usd_on_demand for one in some)
    return name, f"{len(some)}", _gib(scanned), _gib(read), _usd(usd), _seconds(some)


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _gib(size: int) -> str:
    return f"{size / GIB:,.2f}"


def _usd(amount: float) -> str:
    return f"{amount:,.4f}" if amount < 1 else f"{amount:,.2f}"


def _seconds(some: Sequence[Planned]) -> str:
    known = [one.slot_seconds for one in some if one.slot_seconds is not None]
    return f"{sum(known):,.0f}" if known else ""
