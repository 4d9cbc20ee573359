"""Purchases on every edge of the feature dictionary: named customers, one edge each, beside a seeded crowd.

A story is told relative to a partition D (`buy(-6)` is a purchase on D-6), and told once for each of PARTITIONS, so the
edges fall on an ordinary day and on February 29. The id of its customer is `customer(name, partition)`.
"""

import datetime
import random
from typing import Any

import pyarrow as pa

PARTITION = datetime.date(2024, 3, 1)
PARTITIONS = (datetime.date(2024, 2, 29), PARTITION)

RANDOM_CUSTOMERS = 150
SEED = 20240301

CANONICAL = pa.schema(
    [
        ("transaction_id", pa.string()),
        ("customer_id", pa.string()),
        ("transaction_timestamp", pa.timestamp("us", tz="UTC")),
        ("amount", pa.float64()),
        ("status", pa.string()),
        ("product_category", pa.string()),
        ("product_risk_category", pa.string()),
        ("device_id", pa.string()),
        ("device_type", pa.string()),
        ("device_is_trusted", pa.bool_()),
        ("risk_score", pa.float64()),
        ("risk_level", pa.string()),
        ("purchase_context", pa.string()),
        ("checkout_speed", pa.string()),
        ("payment_credit_limit", pa.float64()),
        ("installment_count", pa.int64()),
        ("will_default", pa.bool_()),
        ("days_to_first_missed_payment", pa.int64()),
    ]
)
TRANSACTION_TIME = pa.schema(
    [
        ("product_price", pa.float64()),
        ("payment_provider", pa.string()),
        ("time_on_site_seconds", pa.int64()),
        ("price_comparison_time", pa.int64()),
        ("cart_abandonment_count", pa.int64()),
        ("first_payment_amount", pa.float64()),
        ("customer_age_bracket", pa.string()),
        ("customer_income_bracket", pa.string()),
        ("customer_credit_score_range", pa.string()),
        ("customer_verification_level", pa.string()),
        ("customer_address_stability", pa.string()),
        ("customer_tenure_days", pa.int64()),
        ("customer_state", pa.string()),
    ]
)
SCHEMA = pa.schema([*CANONICAL, *TRANSACTION_TIME])

Story = list[dict[str, Any]]


def edge_case_transactions() -> pa.Table:
    """All stories for all PARTITIONS and the crowd, in an order that means nothing."""
    rows = [row for partition in PARTITIONS for name in STORIES for row in told(name, partition)] + crowd()
    random.Random(SEED).shuffle(rows)
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def customer(name: str, partition: datetime.date = PARTITION) -> str:
    return f"{name}@{partition.isoformat()}"


def told(name: str, partition: datetime.date) -> list[dict[str, Any]]:
    customer_id = customer(name, partition)
    rows = []
    for number, purchase in enumerate(STORIES[name]):
        suffix = purchase.get("id", f"{number:03d}")
        rows.append(row(customer_id, f"{customer_id}/{suffix}", when(purchase, partition), purchase))
    return rows


def when(purchase: dict[str, Any], partition: datetime.date) -> datetime.datetime:
    day = purchase["day"]
    date = day if isinstance(day, datetime.date) else partition + datetime.timedelta(days=day)
    return datetime.datetime.combine(date, datetime.time.fromisoformat(purchase["at"]), datetime.UTC)


def row(customer_id: str, transaction_id: str, at: datetime.datetime, said: dict[str, Any]) -> dict[str, Any]:
    """Everything a story does not say is the same in all of them."""
    amount = said.get("amount", 100.0)
    return {
        "transaction_id": transaction_id,
        "customer_id": customer_id,
        "transaction_timestamp": at,
        "amount": amount,
        "status": said.get("status", "completed"),
        "product_category": said.get("category", "electronics"),
        "product_risk_category": said.get("category_risk", "low"),
        "device_id": said.get("device", f"device of {customer_id}"),
        "device_type": said.get("device_type", "mobile"),
        "device_is_trusted": said.get("trusted", True),
        "risk_score": said.get("risk", 0.25),
        "risk_level": said.get("level", "low"),
        "purchase_context": said.get("context", "normal"),
        "checkout_speed": said.get("speed", "normal"),
        "payment_credit_limit": said.get("limit", 1000.0),
        "installment_count": 4,
        "will_default": said.get("will_default", said.get("missed") is not None),
        "days_to_first_missed_payment": said.get("missed"),
        "product_price": amount,
        "payment_provider": "afterpay",
        "time_on_site_seconds": 300,
        "price_comparison_time": 60,
        "cart_abandonment_count": 1,
        "first_payment_amount": amount / 4,
        "customer_age_bracket": "25-34",
        "customer_income_bracket": "50k-75k",
        "customer_credit_score_range": "good",
        "customer_verification_level": "verified",
        "customer_address_stability": "stable",
        "customer_tenure_days": 400,
        "customer_state": "CA",
    }


def buy(day: int | datetime.date, at: str = "12:00:00", **said: Any) -> dict[str, Any]:
    """A purchase on D + `day` (or on a date of the calendar) at a time of day in UTC; what is not said is ordinary."""
    return {"day": day, "at": at, **said}


def evenly(count: int, minutes: int) -> Story:
    """`count` purchases from midnight of D-29 on, `minutes` apart, with everything that varies varying."""
    story = []
    for number in range(count):
        day, minute = divmod(number * minutes, 24 * 60)
        story.append(
            buy(
                day - 29,
                f"{minute // 60:02d}:{minute % 60:02d}:00",
                amount=10.0 + number % 7,
                category=("home", "beauty", "sports")[number % 3],
                device=f"device {number % 5}",
                risk=(number % 11) / 10,
            )
        )
    return story


LAST_INSTANT = "23:59:59.999999"
MIDNIGHT = "00:00:00"
FEBRUARY = {day: datetime.date(2024, 2, day) for day in range(1, 30)}  # the 23rd is a Friday

HOW_MANY: dict[str, Story] = {
    "one_purchase": [buy(-3)],
    "two_purchases": [buy(-5, amount=30.0), buy(-3, amount=50.0, category="home")],
    "same_timestamp_twice": [
        buy(-3, amount=30.0, category="home"),
        buy(-3, amount=70.0, category="beauty"),
    ],
    "same_timestamp_three_times": [
        buy(-3, amount=10.0, category="home", risk=0.1),
        buy(-3, amount=20.0, category="beauty", risk=0.5),
        buy(-3, amount=60.0, category="home", risk=0.9),
    ],
    # In the order of the ids the categories alternate (2 switches of 2), in that of the amounts they do not.
    "same_timestamp_ids_against_amounts": [
        buy(-3, amount=10.0, category="home", id="c"),
        buy(-3, amount=20.0, category="home", id="a"),
        buy(-3, amount=30.0, category="beauty", id="b"),
    ],
    "three_hundred_purchases": evenly(300, minutes=144),
    "one_second_gaps": [
        buy(-3, "12:00:00", amount=10.0, risk=0.1),
        buy(-3, "12:00:01", amount=20.0, risk=0.3),
        buy(-3, "12:00:02", amount=60.0, risk=0.2),
    ],
    "one_microsecond_gap": [buy(-3, "12:00:00"), buy(-3, "12:00:00.000001")],
    "gap_over_midnight": [buy(-4, LAST_INSTANT), buy(-3, MIDNIGHT)],
    "gap_as_wide_as_the_window": [buy(-29, MIDNIGHT), buy(0, LAST_INSTANT)],
    "gap_that_begins_before_the_window": [buy(-30, LAST_INSTANT), buy(-29, MIDNIGHT), buy(-28, MIDNIGHT)],
}

WINDOWS: dict[str, Story] = {
    **{f"midnight_of_{days}_days_ago": [buy(-days, MIDNIGHT)] for days in (6, 7, 29, 30, 89, 90, 364, 365)},
    **{f"last_instant_of_{days}_days_ago": [buy(-days, LAST_INSTANT)] for days in (7, 30, 90, 365)},
    "last_instant_of_the_partition": [buy(0, LAST_INSTANT)],
    "midnight_after_the_partition": [buy(1, MIDNIGHT)],
    "both_sides_of_the_end": [buy(0, LAST_INSTANT, amount=40.0), buy(1, MIDNIGHT, amount=500.0, limit=9.0)],
    "february_29": [buy(FEBRUARY[28], LAST_INSTANT), buy(FEBRUARY[29], MIDNIGHT), buy(FEBRUARY[29], LAST_INSTANT)],
    "only_outside_7d": [buy(-20), buy(-10)],
    "only_outside_30d": [buy(-80, amount=20.0), buy(-60, amount=30.0), buy(-40, amount=40.0)],
    "only_outside_90d": [buy(-300), buy(-200), buy(-100)],
    "only_outside_history": [buy(-500), buy(-400), buy(-365, LAST_INSTANT)],
    "only_after_the_partition": [buy(2), buy(5)],
    "trend_cut_at_90d": [buy(-90, LAST_INSTANT, amount=999.0), buy(-89, MIDNIGHT), buy(-50), buy(-10)],
    "two_in_90d_three_in_history": [buy(-90), buy(-50), buy(-10)],
}

STATUSES: dict[str, Story] = {
    "only_pending": [buy(-3, status="pending")],
    "only_failed": [buy(-3, status="failed")],
    "only_cancelled": [buy(-3, status="cancelled")],
    "completed_only_before_history": [buy(-365), buy(-3, status="pending")],
    # Each of the rows that do not count would change the limit, the device, the outcome, the stage or a sum.
    "not_completed_rows_beside_one_completed": [
        buy(-200, status="cancelled", device="phone", missed=190),
        buy(-5, amount=80.0, device="phone", limit=400.0),
        buy(-4, status="failed", amount=900.0, category="home", device="tablet", missed=1),
        buy(-3, status="pending", amount=900.0, category="home", device="tablet", limit=5.0),
    ],
}

AMOUNTS: dict[str, Story] = {
    "zero_amount_once": [buy(-3, amount=0.0)],
    "zero_amount_among_others": [buy(-5, amount=0.0), buy(-4, amount=30.0), buy(-3, amount=60.0)],
    "zero_amounts_only": [buy(-50, amount=0.0), buy(-5, amount=0.0), buy(-3, amount=0.0)],
    "zero_amounts_in_30d_spending_before": [buy(-50, amount=90.0), buy(-5, amount=0.0)],
    "equal_amounts": [buy(-5, amount=0.1), buy(-4, amount=0.1), buy(-3, amount=0.1)],
    "large_amounts": [buy(-5, amount=9_999_999.99), buy(-4, amount=0.01), buy(-3, amount=5_000_000.5)],
    "large_amounts_close_together": [
        buy(-5, amount=1_000_000.25),
        buy(-4, amount=1_000_000.5),
        buy(-3, amount=1_000_000.75),
    ],
    "constant_risk_score": [buy(-50, risk=0.1), buy(-23, risk=0.1), buy(-5, risk=0.1), buy(-3, risk=0.1)],
    "risk_scores_of_0_and_1": [buy(-5, risk=0.0, level="low"), buy(-3, risk=1.0, level="very_high")],
}

LIMITS: dict[str, Story] = {
    "limit_always_null": [buy(-5, limit=None), buy(-3, limit=None)],
    "limit_zero": [buy(-3, limit=0.0)],
    "limit_zero_after_another": [buy(-5, limit=500.0), buy(-3, limit=0.0)],
    "limit_null_after_another": [buy(-5, limit=500.0), buy(-3, limit=None)],
    "limit_changed": [buy(-5, limit=500.0), buy(-3, limit=800.0)],
    "limit_older_than_the_window": [buy(-364, MIDNIGHT, limit=500.0), buy(-3, limit=None)],
    "limit_older_than_history": [buy(-365, LAST_INSTANT, limit=500.0), buy(-3, limit=None)],
    "limit_known_late": [buy(-3, limit=None), buy(1, MIDNIGHT, limit=500.0)],
    "limit_on_a_pending_row": [buy(-5, limit=None), buy(-3, limit=500.0, status="pending")],
    # Strings: "9" is larger than "10".
    "limit_twice_at_one_timestamp": [buy(-3, limit=500.0, id="9"), buy(-3, limit=800.0, id="10")],
    "limit_twice_at_one_timestamp_null_last": [buy(-3, limit=500.0, id="a"), buy(-3, limit=None, id="b")],
    "over_the_limit": [buy(-3, amount=250.0, limit=100.0)],
}

CLOCK: dict[str, Story] = {
    **{
        f"at_{at[:8].replace(':', '_')}": [buy(-3, at)]
        for at in (
            "00:00:00",
            "05:59:59.999999",
            "06:00:00",
            "08:59:59.999999",
            "09:00:00",
            "17:59:59.999999",
            "18:00:00",
            "21:59:59.999999",
            "22:00:00",
            "23:59:59.999999",
        )
    },
    "last_instant_of_friday": [buy(FEBRUARY[23], LAST_INSTANT)],
    "midnight_of_saturday": [buy(FEBRUARY[24], MIDNIGHT)],
    "last_instant_of_sunday": [buy(FEBRUARY[25], LAST_INSTANT)],
    "midnight_of_monday": [buy(FEBRUARY[26], MIDNIGHT)],
    "around_a_weekend": [buy(FEBRUARY[day]) for day in (23, 24, 25, 26)],
}

CATEGORIES: dict[str, Story] = {
    "unknown_categories": [
        buy(-9, category="плёнка", category_risk="high"),
        buy(-8, category="家電", category_risk="medium"),
        buy(-7, category="🎣 gear"),
        buy(-6, category='it\'s; -- "quoted"'),
        buy(-5, category=""),
    ],
    # One é is a letter, the other an e with a combining accent; one differs by case, one by a space: five categories.
    "categories_that_look_alike": [
        buy(-9, category="d\u00e9co"),
        buy(-8, category="de\u0301co"),
        buy(-7, category="D\u00e9co"),
        buy(-6, category="d\u00e9co "),
        buy(-5, category="deco"),
    ],
    "one_category": [buy(-5), buy(-4), buy(-3)],
    "two_categories_tied_at_the_top": [buy(-day, category=("home", "beauty")[day % 2]) for day in range(1, 5)],
    "categories_of_all_risks": [buy(-day, category_risk=risk) for day, risk in enumerate(("low", "medium", "high"), 1)],
    "rushed_in_either_way": [
        buy(-6, context="rushed"),
        buy(-5, speed="very_fast"),
        buy(-4, context="rushed", speed="very_fast"),
        buy(-3, context="impulse", speed="fast"),
    ],
    "all_risk_levels": [
        buy(-day, level=level) for day, level in enumerate(("low", "medium", "high", "very_high"), start=1)
    ],
}

DEVICES: dict[str, Story] = {
    "many_devices": [buy(-day, device=f"device {day}", trusted=day % 3 == 0) for day in range(12)],
    "device_types": [
        buy(-day, device=f"{kind} {day}", device_type=kind)
        for day, kind in enumerate(("mobile", "desktop", "tablet", "mobile"), start=1)
    ],
    "untrusted_device": [buy(-3, trusted=False)],
    "old_device_and_new_device": [
        buy(-60, device="old"),
        buy(-5, device="old"),
        buy(-4, device="new"),
        buy(-3, device="new"),
    ],
    "device_first_seen_29_days_ago": [buy(-60, device="old"), buy(-29, MIDNIGHT, device="new"), buy(-5, device="new")],
    "device_first_seen_30_days_ago": [buy(-60, device="old"), buy(-30, LAST_INSTANT, device="b"), buy(-5, device="b")],
    "device_first_seen_on_day_one_of_history": [buy(-364, MIDNIGHT, device="a"), buy(-5, device="a")],
    "device_seen_only_before_history": [buy(-365, LAST_INSTANT, device="a"), buy(-60, device="b"), buy(-5, device="a")],
    "device_seen_before_in_a_failed_row": [
        buy(-60, device="b"),
        buy(-50, device="a", status="failed"),
        buy(-5, device="a"),
    ],
    "shared_device_long_known": [buy(-60, device="shared"), buy(-5, device="shared")],
    "shared_device_new_to_this_customer": [buy(-60, device="own"), buy(-4, device="shared")],
}

OUTCOMES: dict[str, Story] = {
    "missed_on_the_partition": [buy(-20, missed=20)],
    "missed_the_day_after": [buy(-20, missed=21)],
    "missed_89_days_ago": [buy(-100, missed=11)],
    "missed_90_days_ago": [buy(-100, missed=10)],
    "missed_on_the_day_of_purchase": [buy(0, LAST_INSTANT, missed=0)],
    "missed_several_times": [
        buy(-200, missed=40),  # 160 days ago
        buy(-100, missed=11),  # 89
        buy(-80, missed=30),  # 50
        buy(-40, missed=30),  # 10
        buy(-30, missed=31),  # tomorrow
    ],
    "missed_twice_on_one_day": [buy(-40, missed=30), buy(-30, missed=20)],
    "missed_late_beside_long_ago": [buy(-200, missed=40), buy(-3, missed=4)],
    "missed_over_february_29": [buy(FEBRUARY[1], LAST_INSTANT, missed=28), buy(FEBRUARY[1], MIDNIGHT, missed=29)],
    "missed_on_a_purchase_of_day_one_of_history": [buy(-364, MIDNIGHT, missed=360)],
    "missed_on_a_purchase_before_history": [buy(-365, LAST_INSTANT, missed=360), buy(-3)],
    "missed_on_a_pending_row": [buy(-20, missed=10, status="pending"), buy(-3)],
    "default_without_a_date": [buy(-20, will_default=True), buy(-3, will_default=None)],
    "missed_without_a_verdict": [buy(-20, missed=10, will_default=None)],
    "missed_and_no_default": [buy(-20, missed=10, will_default=False)],
}

STAGES: dict[str, Story] = {
    "first_29_days_ago": [buy(-29, MIDNIGHT), buy(-3)],
    "first_30_days_ago": [buy(-30, LAST_INSTANT), buy(-3)],
    "first_before_history_again_5_days_ago": [buy(-365, LAST_INSTANT), buy(-5)],
    "last_29_days_ago": [buy(-60), buy(-29, MIDNIGHT)],
    "last_30_days_ago": [buy(-60), buy(-30, LAST_INSTANT)],
    "last_31_days_ago": [buy(-60), buy(-31)],
    "last_90_days_ago": [buy(-120), buy(-90, MIDNIGHT)],
    "last_91_days_ago": [buy(-120), buy(-91, LAST_INSTANT)],
    "once_30_days_ago": [buy(-30)],
    # By dates: the first pair is almost 91 days apart, the second hardly more than 90.
    "back_after_90_days": [buy(-100, MIDNIGHT), buy(-10, LAST_INSTANT)],
    "back_after_91_days": [buy(-101, LAST_INSTANT), buy(-10, MIDNIGHT)],
    "back_after_91_days_and_busy_since": [buy(-101), buy(-10), buy(-9), buy(-1), buy(0)],
    "back_on_the_first_day_of_the_window": [buy(-120), buy(-29, MIDNIGHT)],
    "back_just_before_the_window": [buy(-121), buy(-30, LAST_INSTANT), buy(-5)],
    "back_before_the_window_and_gone": [buy(-200), buy(-40)],
    "back_after_a_year": [buy(-364, MIDNIGHT), buy(0, LAST_INSTANT)],
    "back_after_a_failed_row_between": [buy(-120), buy(-60, status="failed"), buy(-10)],
}

STORIES: dict[str, Story] = {
    name: story
    for chapter in (HOW_MANY, WINDOWS, STATUSES, AMOUNTS, LIMITS, CLOCK, CATEGORIES, DEVICES, OUTCOMES, STAGES)
    for name, story in chapter.items()
}


def crowd() -> list[dict[str, Any]]:
    """RANDOM_CUSTOMERS customers with a few to many purchases between 420 days before PARTITION and 5 after it."""
    dice = random.Random(SEED)
    rows = []
    for number in range(RANDOM_CUSTOMERS):
        customer_id = f"crowd_{number:03d}"
        oldest = dice.choice((20, 45, 100, 200, 420))
        for purchase in range(dice.choice((1, 2, 3, 5, 8, 13, 21, 34))):
            said = random_purchase(dice, oldest, devices=1 + number % 4)
            rows.append(row(customer_id, f"{customer_id}/{purchase:03d}", when(said, PARTITION), said))
    return rows


def random_purchase(dice: random.Random, oldest: int, devices: int) -> dict[str, Any]:
    device = dice.randrange(devices)
    risk = round(dice.random(), 4)
    return buy(
        dice.randint(-oldest, 5),
        f"{dice.randrange(24):02d}:{dice.choice((0, 15, 30, 45)):02d}:{dice.choice(('00', '00', '07.250001'))}",
        amount=round(dice.lognormvariate(4, 1), 2),
        status=dice.choices(("completed", "pending", "failed", "cancelled"), (80, 8, 7, 5))[0],
        category=dice.choice(("electronics", "clothing", "home", "beauty", "sports")),
        category_risk=dice.choice(("low", "medium", "high")),
        device=f"crowd device {device}",  # shared by many customers
        device_type=("mobile", "desktop", "tablet", "mobile")[device],
        trusted=dice.random() < 0.7,
        risk=risk,
        level=("low", "medium", "high", "very_high")[int(risk * 3.9999)],
        context=dice.choice(("normal", "impulse", "rushed")),
        speed=dice.choice(("slow", "normal", "fast", "very_fast")),
        limit=dice.choice((None, None, 500.0, 1000.0, 2500.0, 0.0)),
        missed=dice.choice((None, None, None, 15, 30, 60, 120)),
    )
