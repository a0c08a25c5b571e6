"""Texts in spreadsheets: none of them is run."""

from __future__ import annotations

from shared.formulas import quoted


def test_a_text_that_a_spreadsheet_might_run_is_quoted() -> None:
    risky = ["=1+1", "@x", "-x", "+x", " =1+1", "\t1", "|x", "\uff1d1"]
    assert [quoted(t) for t in risky] == [f"'{t}" for t in risky]
    assert [quoted(t) for t in ("S\u00f8ylen", "", "3 x", "a=b")] == ["S\u00f8ylen", "", "3 x", "a=b"]
