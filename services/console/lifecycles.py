"""The words of lifecycles: status labels and phases, remembered for a while because every page asks for them.

A version never changes, so it is kept until others push it out; "the newest" is asked for again after some minutes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from services.console.errors import Refused, ServiceDown
from services.console.language import label
from services.console.reading import read
from services.console.schemas import Lifecycle, State
from services.console.session import Person
from services.console.visit import Visit

MOST: Final = 500
NEWEST_SECONDS: Final = 300.0
_known: dict[tuple[str, str, int | None], tuple[float, Lifecycle]] = {}


async def lifecycle(visit: Visit, name: str, version: int | None = None) -> Lifecycle | None:
    """A lifecycle of the person's marketplace; None where it cannot be had: pages then say statuses by their codes."""
    key = (visit.person.marketplace_id, name, version)
    kept = _known.get(key)
    now = time.monotonic()
    if kept is not None and (version is not None or now - kept[0] < NEWEST_SECONDS):
        return kept[1]
    try:
        answer = await visit.get("order", f"/v1/lifecycles/{name}", [("version", version)])
        found = read(Lifecycle, "order", answer)
    except (ServiceDown, Refused):
        return None
    _known.pop(key, None)
    _known[key] = (now, found)
    if len(_known) > MOST:
        del _known[next(iter(_known))]
    return found


def labels(found: Lifecycle | None, person: Person) -> Mapping[str, str]:
    """Status labels as the person's side knows them, by status: of states, and of what is shown over them."""
    if found is None:
        return {}
    over = {d.code: label(d.label) for d in found.display if d.on == "order"}
    return over | {s.name: state_label(s, person) for s in found.states}


def filtered_by(found: Lifecycle | None, person: Person) -> Mapping[str, str]:
    """Labels of the statuses that lists can be narrowed to: states in their order, then what is shown over them."""
    named = labels(found, person)
    own = {s.name: named[s.name] for s in found.states} if found else {}
    return own | {code: label for code, label in named.items() if code not in own}


def line_labels(found: Lifecycle | None, person: Person) -> Mapping[str, str]:
    """The same for lines, which have words of their own for what becomes of them."""
    shown = {d.code: label(d.label) for d in found.display if d.on == "line"} if found else {}
    return {**labels(found, person), **shown}


def state_label(state: State, person: Person) -> str:
    side = "operator" if person.is_operator else "seller" if person.sells else "buyer"
    return label(state.labels.get(side) or state.label)


def decisions(found: Lifecycle | None, person: Person) -> Mapping[str, str]:
    """What the person may decide about several new orders at once: labels by action."""
    if found is None:
        return {}
    own = set(person.roles)
    if own & {"member", "admin"}:
        own |= ({"seller"} if person.sells else set()) | ({"buyer"} if person.buys else set())
    return {d.name: label(d.label) for d in found.decisions if own & set(d.roles)}
