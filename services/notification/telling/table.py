"""The rules as a table for people; `python -m services.notification.telling.table` writes who-is-told.md anew."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from services.notification.telling.categories import CATEGORIES
from services.notification.telling.rules import EXCEPTIONS, HELD, RULES, STOOD_FOR, Rule


def markdown() -> str:
    """Both tables: who hears of what, and what a person may switch."""
    return "\n".join((*_told(), "", *_categories(), ""))


def _told() -> Iterator[str]:
    yield "# Who is told of what"
    yield ""
    yield "Generated from `services/notification/telling/rules.py`; a test compares them. Whoever acted is not told of"
    yield "their own deed (except where marked *too*), nobody outside the event's audience is told, and the first row"
    yield "that reaches a person wins: one notification per event and person."
    yield ""
    yield "| occasion | who: category (channels) |"
    yield "|---|---|"
    for occasion, rules in RULES.items():
        yield f"| {occasion} | {_rules(rules)} |"
    for (lifecycle, occasion), rules in EXCEPTIONS.items():
        yield f"| {occasion} in `{lifecycle}` | {_rules(rules)} |"
    yield f"| an order that was paid for is canceled, in whatever way: also | {_rules((HELD,))} |"
    yield f"| anything done while logged in as somebody | {_rules((STOOD_FOR,))} |"


def _rules(rules: Sequence[Rule]) -> str:
    return "; ".join(
        f"{r.to.replace('_', ' ')}{' *too*' if r.keep_actor else ''}: "
        f"{r.category} ({'in-app and e-mail' if r.email else 'in-app'})"
        for r in rules
    )


def _categories() -> Iterator[str]:
    yield "# Categories"
    yield ""
    yield "| category | in-app | e-mail | passes quiet hours and digests | one-click unsubscribe on each mail |"
    yield "|---|---|---|---|---|"
    for c in CATEGORIES.values():
        yield f"| {c.name} | {c.in_app} | {c.email} | {_yes(c.critical)} | {_yes(c.reminder)} |"


def _yes(value: bool) -> str:
    return "yes" if value else ""


if __name__ == "__main__":
    sys.stdout.write(markdown())
