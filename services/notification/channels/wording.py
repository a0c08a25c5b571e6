"""Filling in the texts: facts of the event in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from contracts.order import Side
from services.notification.channels.texts import (
    DEADLINES,
    ISSUES,
    N_,
    OTHER_DEADLINE,
    OTHER_ISSUE,
    RESOLUTIONS,
    TEXTS,
    Text,
)
from services.notification.channels.words import Words
from services.notification.telling.causes import Facts
from services.notification.telling.occasions import Occasion

TIMES: Final = "\N{MULTIPLICATION SIGN}"


def text(kind: Occasion, side: Side, facts: Facts, words: Words) -> Text:
    """The text of a notification in the reader's language. Facts that an event lacks read as nothing."""
    template = TEXTS.get((kind, side)) or TEXTS[kind, None]
    values = _values(kind, facts, words)
    return Text(*(words.fill(msgid, values) for msgid in (template.title, template.body, template.hint)))


class _Values(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return ""


def _values(kind: Occasion, facts: Facts, words: Words) -> _Values:
    values = _Values({name: value for name, value in facts.items() if isinstance(value, str)})
    values["by"] = _by(facts, values, words)
    values["items"] = items(facts, words)
    if kind is Occasion.ISSUE_SETTLED:
        values["reason"] = _resolution(values.get("reason", ""), words)
    values["because"] = words.fill(N_(" “%(reason)s”"), values) if facts.get("reason") else ""
    for name in ("total", "amount"):
        values[name] = words.money(facts.get(name))
    values["date"] = words.day(facts.get("scheduled_for"))
    values["due"] = words.moment(facts.get("due_at"))
    values["tracking"] = _tracking(facts, words)
    values["issue"] = words.text(ISSUES.get(facts.get("issue", ""), OTHER_ISSUE))
    values["deadline"] = words.text(DEADLINES.get(facts.get("deadline", ""), OTHER_DEADLINE))
    if facts.get("evidence_due_at"):
        due = {"due": words.moment(facts["evidence_due_at"])}
        values["evidence"] = words.fill(N_(" Evidence is due on %(due)s."), due)
    if kind is Occasion.MESSAGE:
        values["sender"] = _sender(facts, words)
        values["preview"] = _preview(facts, words)
    return values


def _preview(facts: Facts, words: Words) -> str:
    """What was written, and how many files came with it."""
    said, files = str(facts.get("preview", "")), facts.get("attachments", 0)
    counted = words.count("%(count)s attachment", "%(count)s attachments", files)
    if not files or not said:
        return said or counted
    return f"{said} ({counted})"


def _by(facts: Facts, values: _Values, words: Words) -> str:
    if facts.get("automatic"):
        return words.text(N_("automatically"))
    if facts.get("actor_for"):
        return words.fill(N_("by %(actor)s on behalf of %(actor_for)s"), values)
    return words.fill(N_("by %(actor)s"), values)


def _resolution(text: str, words: Words) -> str:
    """How an issue ended: what the order service calls it in the reader's words, what a person wrote as it is."""
    code, colon, note = text.partition(": ")
    return f"{words.text(RESOLUTIONS[code])}{colon}{note}" if code in RESOLUTIONS else text


def _sender(facts: Facts, words: Words) -> str:
    if facts.get("for_side"):
        return words.fill(N_("%(actor)s, for the seller"), facts)
    return str(facts.get("actor", ""))


def _tracking(facts: Facts, words: Words) -> str:
    named = " ".join(str(facts[n]) for n in ("carrier", "tracking_number") if facts.get(n))
    return words.fill(N_(" Parcel: %(named)s."), {"named": named}) if named else ""


def items(facts: Mapping[str, Any], words: Words) -> str:
    """The first item with its quantity, and how many more there are."""
    first = facts.get("first_item")
    if not first:
        return ""
    named = f"{words.quantity(first['quantity'], first['unit'])} {TIMES} {first['name']}"
    more = facts.get("more_items", 0)
    if not more:
        return named
    return words.both(named, words.count("%(count)s more item", "%(count)s more items", more))
