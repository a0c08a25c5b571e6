"""The savings formula: kg x factor x displacement x quantity, on what was received and kept."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from contracts.money import Money
from contracts.order import LifecycleRef, OrderSnapshot
from services.reporting.projections.savings import TABLE, Saving, in_order, read_table, saving
from tests.builders import line, snapshot

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LOOPFRONT = LifecycleRef(name="loopfront", version=1)


def order(*lines: dict[str, Any], **given: Any) -> OrderSnapshot:
    made = tuple(
        line(**{"received": Decimal(2), "kg_per_unit": Decimal("10"), "material": "steel", **g}) for g in lines
    )
    return snapshot(**{"lifecycle": LOOPFRONT, "phase": "completed", "status": "received", "lines": made, **given})


def test_a_received_order_saves_its_weight_times_factor_times_displacement() -> None:
    saved = saving(order({}), NOW)
    steel = TABLE.materials["steel"]
    assert saved.grams == 20_000
    assert saved.co2e_grams == round(20 * steel.co2e * steel.displacement * 1000)
    assert saved.value_minor == 2_000
    assert saved.factors == TABLE.version


def test_lines_add_up_and_unknown_materials_count_as_weight_only() -> None:
    both = saving(order({}, {"material": "unobtainium"}), NOW)
    assert both.grams == 40_000
    assert both.co2e_grams == saving(order({}), NOW).co2e_grams


def test_a_part_that_was_returned_or_paid_back_is_taken_back_once() -> None:
    assert saving(order({"returned": Decimal(1)}), NOW).grams == 10_000
    assert saving(order({"refunded": Money.of(1_000, "EUR")}), NOW).grams == 10_000
    assert saving(order({"returned": Decimal(1), "refunded": Money.of(1_000, "EUR")}), NOW).grams == 10_000
    assert saving(order({"refunded": Money.of(2_000, "EUR")}), NOW) == Saving.NONE
    assert saving(order({}, money="refunded"), NOW) == Saving.NONE


def test_a_discount_lies_on_the_lines() -> None:
    """A line that was paid back wholly is not counted, however little of its price that was."""
    both = order({"quantity": 2}, {"quantity": 1, "received": Decimal(1)})
    totals = both.totals.model_copy(
        update={"discount": Money.of(1_500, "EUR"), "shipping": Money.of(500, "EUR"), "total": Money.of(2_000, "EUR")}
    )
    both = both.model_copy(update={"totals": totals})
    # all of it on the second line: nothing was paid for that
    second = both.lines[1].model_copy(update={"discount": Money.of(1_000, "EUR")})
    given = totals.model_copy(update={"discount": Money.of(1_000, "EUR"), "total": Money.of(2_500, "EUR")})
    first = both.lines[0].model_copy(update={"refunded": Money.of(2_000, "EUR")})
    assert saving(both.model_copy(update={"lines": (first, second), "totals": given}), NOW).grams == 10_000
    # of 3,000 for the goods 1,500 are paid: 1,000 and 500
    assert saving(both, NOW).value_minor == 1_500
    first = both.lines[0].model_copy(update={"refunded": Money.of(1_000, "EUR")})
    back = totals.model_copy(update={"refunded": Money.of(1_000, "EUR")})
    saved = saving(both.model_copy(update={"lines": (first, both.lines[1]), "totals": back}), NOW)
    assert (saved.grams, saved.value_minor) == (10_000, 500)


def test_what_is_paid_back_for_no_line_is_taken_from_all_of_them() -> None:
    both = order({}, {})
    totals = both.totals.model_copy(update={"refunded": Money.of(both.totals.total.minor // 4, "EUR")})
    assert saving(both.model_copy(update={"totals": totals}), NOW).grams == 30_000


def test_only_what_was_received_has_a_value() -> None:
    saved = saving(order({"received": Decimal(1)}), NOW)
    assert (saved.grams, saved.value_minor) == (10_000, 1_000)


def test_an_order_is_counted_with_the_table_of_the_day_of_its_receipt() -> None:
    def table(version: str, day: str, co2e: str) -> str:
        return (f'version = "{version}"\npublished = {day}\n[source.s]\ntitle = "t"\nurl = "https://s.example"\n'
                f'[material.steel]\nco2e = "{co2e}"\ndisplacement = "1"\nsource = "s"')  # fmt: skip

    tables = in_order(read_table(t) for t in (table("2", "2026-03-02", "3"), table("1", "2026-01-01", "2")))
    at = {day: saving(order({}), datetime(2026, 3, day, 12, tzinfo=UTC), tables) for day in (1, 2)}
    assert {d: (s.factors, s.co2e_grams) for d, s in at.items()} == {1: ("1", 40_000), 2: ("2", 60_000)}
    assert saving(order({}), datetime(2025, 1, 1, tzinfo=UTC), tables).factors == "1"
    with pytest.raises(ValueError, match="same version"):
        in_order([*tables, tables[0]])


@pytest.mark.parametrize("lines", [{"received": Decimal(0)}, {"kg_per_unit": None}])
def test_nothing_received_or_of_no_known_weight_saves_nothing(lines: dict[str, Any]) -> None:
    assert saving(order(lines), NOW) == Saving.NONE


def test_only_reused_goods_save() -> None:
    assert saving(order({}, lifecycle=LifecycleRef(name="storefront", version=1)), NOW) == Saving.NONE


def test_every_factor_has_its_source_in_the_table() -> None:
    assert TABLE.materials
    for factor in TABLE.materials.values():
        source = TABLE.sources[factor.source]
        assert source["title"]
        assert source["url"].startswith("https://")


@pytest.mark.parametrize(
    "entry",
    ['co2e = "1"\ndisplacement = "0.5"\nsource = "nobody"', 'co2e = "-1"\ndisplacement = "0.5"\nsource = "s"',
     'co2e = "1"\ndisplacement = "1.5"\nsource = "s"'],
)  # fmt: skip
def test_a_table_with_a_doubtful_factor_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="material x"):
        read_table(f'version = "9"\npublished = 2026-01-01\n[source.s]\ntitle = "t"\n[material.x]\n{entry}')
