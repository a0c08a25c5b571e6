"""Placing: split by seller, sums exact to the minor unit, everything decided before anything is made."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.inbound import SubmittedCustomer, SubmittedLine, SubmittedOrder
from contracts.money import Money, round_minor
from services.order import workflow as wf
from services.order.workflow.effects_money import line_values
from services.order.workflow.proportion import allocate, share
from tests.unit.order.workflow import people

STORE = wf.builtin("storefront")


def order(*lines: SubmittedLine, currency: str = "EUR", **fields: Any) -> SubmittedOrder:
    return SubmittedOrder(currency=currency, customer=SubmittedCustomer(name="Ada"), lines=lines, **fields)


def line(price: str, quantity: str = "1", currency: str = "EUR", **fields: Any) -> SubmittedLine:
    money = Money(amount=price, currency=currency)
    return SubmittedLine(sku="S", quantity=Decimal(quantity), unit_price=money, **fields)


def place(what: SubmittedOrder, *sellers: Any) -> list[wf.Order]:
    """The orders of a purchase whose n-th line is sold by the n-th seller."""
    chosen = sellers or (people.SELLER_ORG,) * len(what.lines)
    facts = tuple(people.line_facts(n, seller=s) for n, s in enumerate(chosen))
    placement = people.placement(what, facts)
    numbers = [f"ORD-{n}" for n in range(wf.seller_count(placement))]
    made = wf.place(placement, STORE, people.ACTORS["placer"], now=people.NOW, ids=people.fresh_ids(), numbers=numbers)
    assert {d.order.purchase_id for d in made.decisions} == {made.purchase_id}
    return [d.order for d in made.decisions]


def test_one_order_per_seller_under_one_purchase() -> None:
    made = place(
        order(line("10.00"), line("20.00"), line("30.00")), people.SELLER_ORG, people.SELLER2_ORG, people.SELLER_ORG
    )
    assert [(o.number, o.seller.name, [x.position for x in o.lines], o.total) for o in made] == [
        ("ORD-0", "Seller", [1, 2], 4000),
        ("ORD-1", "Seller 2", [1], 2000),
    ]
    assert [o.commission for o in made] == [480, 100]


def test_the_owner_never_earns_more_than_the_order_comes_to() -> None:
    (whole,) = place(order(line("10.00"), total=people.eur("3.00")))
    assert whole.commission == 120
    (little,) = place(order(line("10.00"), total=people.eur("0.50")))
    assert (little.total, little.commission) == (50, 50)


def test_order_level_amounts_are_divided_in_proportion() -> None:
    made = place(
        order(
            line("10.00"),
            line("20.00"),
            shipping=people.eur("10.00"),
            discount=people.eur("1.00"),
            tax=people.eur("3.01"),
            total=people.eur("42.02"),
            paid=True,
        ),
        people.SELLER_ORG,
        people.SELLER2_ORG,
    )
    assert [(o.shipping, o.discount, o.lines[0].tax, o.adjustment) for o in made] == [
        (333, 33, 100, 0),
        (667, 67, 201, 1),
    ]
    assert sum(o.total for o in made) == sum(o.paid for o in made) == 4202


def test_a_discount_lies_on_the_lines_that_its_source_put_it_on() -> None:
    lines = [line("30.00", discount=people.eur("6.00")), line("10.00"), line("20.00")]
    (made,) = place(order(*lines, shipping=people.eur("5.00"), discount=people.eur("6.00"), paid=True))
    assert (made.total, made.discount) == (5_900, 600)
    assert list(line_values(made).values()) == [2_400, 1_000, 2_000]
    assert wf.to_snapshot(made, STORE).lines[0].discount == people.eur("6.00")
    # what the order has beyond its lines' own lies on all of them
    both = place(order(*lines, discount=people.eur("11.40")), people.SELLER_ORG, people.SELLER2_ORG, people.SELLER2_ORG)
    assert [o.discount for o in both] == [600 + 240, 300]
    assert list(line_values(both[1]).values()) == [900, 1_800]
    (summed,) = place(order(*lines))
    assert summed.discount == 600


def test_a_stated_total_is_kept_and_the_difference_is_the_adjustment() -> None:
    made = place(order(line("199.00", "1"), line("199.00"), tax=people.eur("11.94"), total=people.eur("400.00")))[0]
    assert (made.total, made.adjustment) == (40_000, 40_000 - 39_800 - 1_194)
    snapshot = wf.to_snapshot(made, STORE)
    assert snapshot.totals.adjustment.amount == "-9.94"


def test_tax_by_line_by_rate_or_for_the_whole_order() -> None:
    made = place(
        order(
            line("10.00", tax=people.eur("2.00")),
            line("10.10", tax_rate=Decimal("0.25")),
            line("5.00"),
            line("15.00"),
            tax=people.eur("6.52"),
        )
    )[0]
    # 10.10 at 25 % is 2.525: half to even gives 2.52; the rest of 2.00 is divided 1 : 3
    assert [x.tax for x in made.lines] == [200, 252, 50, 150]


def test_rounding_is_half_to_even_and_a_stated_net_wins() -> None:
    made = place(order(line("0.05", "0.5"), line("0.15", "0.5"), line("3.00", "2", net=people.eur("5.50"))))[0]
    assert [x.net for x in made.lines] == [2, 8, 550]


def test_currencies_without_and_with_three_decimals() -> None:
    yen = place(order(line("333", "1.5", currency="JPY"), currency="JPY"))[0]
    assert (yen.lines[0].net, wf.to_snapshot(yen, STORE).totals.total.amount) == (500, "500")
    dinar = place(order(line("1.234", "3", currency="BHD"), currency="BHD"))[0]
    assert wf.to_snapshot(dinar, STORE).totals.total.amount == "3.702"


@pytest.mark.parametrize(
    ("what", "path"),
    [
        (order(line("-1.00")), "lines.0.unit_price"),
        (order(line("1.00", currency="USD")), "lines.0.unit_price"),
        (order(line("1.00"), shipping=Money(amount="1.00", currency="USD")), "shipping"),
        (order(line("1.00"), shipping=people.eur("-1.00")), "shipping"),
        (order(line("1.00"), discount=people.eur("1.01")), "discount"),
        (order(line("1.00"), discount=people.eur("-0.01")), "discount"),
        (order(line("1.00", discount=people.eur("1.01"))), "lines.0.discount"),
        (order(line("1.00", discount=people.eur("-0.01"))), "lines.0.discount"),
        (order(line("1.00", discount=people.eur("0.50")), discount=people.eur("0.49")), "discount"),
        (order(line("1.00"), tax=people.eur("-0.01")), "tax"),
        (order(line("1.00"), total=people.eur("-0.01")), "total"),
        (order(line("9999999999999.99", "2")), "lines.0.net"),
        (order(line("9999999999999.99"), line("1.00")), "total"),
        (order(SubmittedLine(sku="S", quantity=Decimal(1))), "lines.0.unit_price"),
    ],
)
def test_what_cannot_be_placed_is_refused_with_the_place(what: SubmittedOrder, path: str) -> None:
    with pytest.raises(wf.BadOrder) as refused:
        place(what)
    assert refused.value.more["errors"][0]["path"] == path


def test_things_with_units_come_in_whole_numbers() -> None:
    with pytest.raises(wf.BadOrder, match="whole number"):
        people.place_one(STORE, people.placement(order(line("1.00", "1.5")), tracked=True))


def test_the_listing_gives_the_price_unless_the_source_states_one() -> None:
    fact = wf.LineFacts(people.SELLER_ORG, "S", "Thing", people.LISTING, unit_price=people.eur("7.00"))
    silent = order(SubmittedLine(listing_id=people.LISTING, quantity=Decimal(2)))
    stated = order(SubmittedLine(listing_id=people.LISTING, quantity=Decimal(2), unit_price=people.eur("5.00")))
    assert people.place_one(STORE, people.placement(silent, (fact,))).order.total == 1400
    assert people.place_one(STORE, people.placement(stated, (fact,))).order.total == 1000


def test_one_thing_that_is_delivered_makes_the_order_a_delivery() -> None:
    facts = (people.line_facts(0, mode="pickup"), people.line_facts(1, mode="delivery"))
    assert people.place_one(STORE, people.placement(facts=facts)).order.delivery_mode == "delivery"
    both = (people.line_facts(0, mode="pickup"), people.line_facts(1, mode="pickup"))
    assert people.place_one(STORE, people.placement(facts=both)).order.delivery_mode == "pickup"


def test_the_time_of_placing_is_the_sources_and_deadlines_count_from_arrival() -> None:
    earlier = people.NOW - timedelta(days=30)
    made = people.place_one(STORE, people.placement(order(line("1.00"), placed_at=earlier))).order
    assert (made.placed_at, made.status_times[0].at) == (earlier, earlier)
    assert made.deadlines[0].due_at == people.NOW + timedelta(hours=24)
    future = people.place_one(STORE, people.placement(order(line("1.00"), placed_at=people.NOW + timedelta(days=1))))
    assert future.order.placed_at == people.NOW


def test_the_limit_is_compared_with_the_whole_purchase() -> None:
    """A purchase cannot slip under the limit by being split over suppliers."""
    supplier = wf.builtin("supplier")
    facts = (people.line_facts(0), people.line_facts(1, seller=people.SELLER2_ORG))
    placement = people.placement(order(line("8.00"), line("8.00")), facts, limit=people.eur("10.00"))
    made = wf.place(
        placement, supplier, people.ACTORS["placer"], now=people.NOW, ids=people.fresh_ids(), numbers=["1", "2"]
    )
    assert [d.order.status for d in made.decisions] == ["needs_approval", "needs_approval"]


def test_a_limit_matters_only_where_the_lifecycle_has_approval() -> None:
    made = people.place_one(STORE, people.placement(limit=people.eur("0.00"))).order
    assert (made.status, made.approval) == ("pending", None)


prices = st.integers(0, 10**9)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    nets=st.lists(st.tuples(prices, prices), min_size=1, max_size=5),
    shipping=prices,
    discount_share=st.floats(0, 1),
    own_share=st.floats(0, 1),
    total=st.none() | st.integers(0, 10**10),
)
def test_however_it_is_divided_it_adds_up_and_nobody_falls_below_zero(
    nets: list[tuple[int, int]], shipping: int, discount_share: float, own_share: float, total: int | None
) -> None:
    whole = sum(n + t for n, t in nets) + shipping
    discount = int(whole * discount_share)
    own = [int((n + t) * discount_share * own_share) for n, t in nets]
    own = own if sum(own) <= discount else [0] * len(nets)
    sellers = [people.SELLER_ORG, people.SELLER2_ORG]
    what = order(
        *(
            SubmittedLine(
                sku="S",
                quantity=Decimal(1),
                unit_price=Money.of(n, "EUR"),
                tax=Money.of(t, "EUR"),
                discount=Money.of(d, "EUR"),
            )
            for (n, t), d in zip(nets, own, strict=True)
        ),
        shipping=Money.of(shipping, "EUR"),
        discount=Money.of(discount, "EUR"),
        total=None if total is None else Money.of(total, "EUR"),
    )
    made = place(what, *(sellers[i % 2] for i in range(len(nets))))
    assert sum(o.total for o in made) == (whole - discount if total is None else total)
    assert sum(o.shipping for o in made) == shipping
    assert sum(o.discount for o in made) == discount
    assert all(o.total >= 0 for o in made)
    for o in made:
        assert sum(line_values(o).values()) == max(o.total - o.shipping, 0)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(amount=st.integers(-(10**14), 10**14), weights=st.lists(st.integers(0, 10**14), min_size=1, max_size=8))
def test_allocation_is_exact_and_never_off_by_more_than_one(amount: int, weights: list[int]) -> None:
    parts = allocate(amount, weights)
    assert sum(parts) == amount
    whole = sum(weights)
    for part, weight in zip(parts, weights, strict=True):
        if whole:
            assert abs(part * whole - amount * weight) < whole
            assert weight or not part


@settings(max_examples=300, deadline=None, derandomize=True)
@given(total=st.integers(0, 10**9), quantity=st.decimals("0.000001", "9999", places=6))
def test_shares_follow_the_one_rounding_rule(total: int, quantity: Decimal) -> None:
    assert share(total, quantity, 1) == round_minor(Decimal(total) / 100 * quantity, "EUR")
    assert share(total, quantity, quantity) == total
    assert share(10**15 - 1, Decimal("999999999.999999"), Decimal("999999999.999998")) == 10**15
