"""What the one-shot step before the services reads from its environment."""

from __future__ import annotations

import pytest

from deploy.embedded.errors import SetupError
from deploy.provision import MOST_PARTITIONS, _number

NAME = "ORDERTRAIL_TOPIC_PARTITIONS"


@pytest.mark.parametrize(("value", "number"), [("", None), ("1", 1), ("12", 12), (str(MOST_PARTITIONS), 100)])
def test_a_number_or_none(monkeypatch: pytest.MonkeyPatch, value: str, number: int | None) -> None:
    monkeypatch.setenv(NAME, value)
    assert _number(NAME, MOST_PARTITIONS) == number


@pytest.mark.parametrize("value", ["0", "-1", "101", "many", "3.0", "1e1", "9" * 40, "\u0663"])
def test_what_is_no_such_number_stops_with_what_is_allowed(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(NAME, value)
    with pytest.raises(SetupError, match=f"{NAME} is .*from 1 to {MOST_PARTITIONS}"):
        _number(NAME, MOST_PARTITIONS)
