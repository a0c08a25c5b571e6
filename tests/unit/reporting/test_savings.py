"""The savings formula: kg x factor x displacement x quantity, on what was received and kept."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from contracts.money import Money
from contracts.order import LifecycleRef, OrderSnapshot
from services.reporting.projections.savings import TABLE, Saving, read_table, saving
from tests.builders import line, snapshot

LOOPFRONT = LifecycleRef(name="loopfront", version=1)


def order(*lines: dict[str, Any], **given: Any) -> OrderSnapshot:
    made = tuple(
        line(**{"received": Decimal(2), "kg_per_unit": Decimal("10"), "material": "steel", **g}) for g in lines
    )
    return snapshot(**{"lifecycle": LOOPFRONT, "phase": "completed", "status": "received", "lines": made, **given})


def test_a_received_order_saves_its_weight_times_factor_times_displacement() -> None:
    saved = saving(order({}))
    steel = TABLE.materials["steel"]
    assert saved.grams == 20_000
    assert saved.co2e_grams == round(20 * steel.co2e * steel.displacement * 1000)
    assert saved.value_minor == 2_000
    assert saved.factors == TABLE.version


def test_lines_add_up_and_unknown_materials_count_as_weight_only() -> None:
    both = saving(order({}, {"material": "unobtainium"}))
    assert both.grams == 40_000
    assert both.co2e_grams == saving(order({})).co2e_grams


def test_a_part_that_was_returned_or_paid_back_is_taken_back_once() -> None:
    assert saving(order({"returned": Decimal(1)})).grams == 10_000
    assert saving(order({"refunded": Money.of(1_000, "EUR")})).grams == 10_000
    assert saving(order({"returned": Decimal(1), "refunded": Money.of(1_000, "EUR")})).grams == 10_000
    assert saving(order({"refunded": Money.of(2_000, "EUR")})) == Saving.NONE
    assert saving(order({}, money="refunded")) == Saving.NONE


@pytest.mark.parametrize("lines", [{"received": Decimal(0)}, {"kg_per_unit": None}])
def test_nothing_received_or_of_no_known_weight_saves_nothing(lines: dict[str, Any]) -> None:
    assert saving(order(lines)) == Saving.NONE


def test_only_reused_goods_save() -> None:
    assert saving(order({}, lifecycle=LifecycleRef(name="storefront", version=1))) == Saving.NONE


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
        read_table(f'version = "9"\n[source.s]\ntitle = "t"\n[material.x]\n{entry}')
