"""Problems in words, as dead letters and logs keep them."""

from __future__ import annotations

from services.order.errors import wrong_fields


def test_a_problem_in_words_names_every_field_that_is_wrong() -> None:
    told = str(wrong_fields(("lines.0.seller", "is no seller here"), ("currency", "is not that of the listing")))
    assert told == ("bad_order: lines.0.seller: is no seller here (and 1 more); currency: is not that of the listing")
    assert str(wrong_fields(*((f"lines.{n}.sku", "x") for n in range(40)))).count("; lines.") == 9
