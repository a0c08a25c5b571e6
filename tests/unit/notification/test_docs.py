"""The published table of who is told of what says what the rules say."""

from __future__ import annotations

from pathlib import Path

from services.notification.telling.table import markdown

DOCUMENT = Path(__file__).parents[3] / "docs" / "notifications" / "who-is-told.md"


def test_the_table_is_up_to_date() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == markdown(), "run python -m services.notification.telling.table"
