"""Acting on an order: the form of one action, and what becomes of it when it is sent.

A form carries the version of the order that it was made for (If-Match) and a key of its own (Idempotency-Key). Sent
twice it acts once; sent after somebody else moved the order on, it is shown again beside what is now.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from starlette.responses import Response

from services.console.calls import File
from services.console.errors import NoSuchPage, Refused
from services.console.forms import Filled, Form, build, filled
from services.console.language import label as known
from services.console.language import tr
from services.console.page import Page, form
from services.console.pages.order import order_of, units_of
from services.console.schemas import Order
from services.console.sentences import sentence
from services.console.uploads import room
from services.console.visit import Visit

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,47}")


async def show(visit: Visit) -> Response:
    """The form by itself: for a link, and where it came back with something to mend."""
    return await _form_page(visit, 200)


async def act(visit: Visit) -> Response:
    with room(visit):
        return await _act(visit)


async def _act(visit: Visit) -> Response:
    order_id, action = visit.id("order_id"), _action(visit)
    given = filled(visit.posted, visit.zone)
    if given.errors:
        return await _form_page(visit, 422, errors=given.errors)
    try:
        params = given.params | await _uploaded(visit, order_id, given)
        answer = await visit.send(
            "POST",
            "order",
            f"/v1/orders/{order_id}/actions/{action}",
            {"params": params},
            key=visit.form_key,
            if_match=visit.form_state,
        )
    except Refused as e:
        return await _refused(visit, e)
    visit.say(_done(visit.posted.one("label"), answer.body))
    return visit.go(f"/orders/{order_id}")


def _action(visit: Visit) -> str:
    """The action's name. Raises NoSuchPage for what can be none."""
    name = str(visit.request.path_params["action"])
    if not _NAME.fullmatch(name):
        raise NoSuchPage
    return name


async def _uploaded(visit: Visit, order_id: UUID, given: Filled) -> dict[str, Any]:
    """Upload the files and name them by their ids. A key for each: sending the form again uploads nothing twice."""
    params: dict[str, Any] = {}
    for name, files in given.files.items():
        ids = []
        for i, file in enumerate(files.files):
            try:
                answer = await visit.console.services.upload(
                    "order",
                    f"/v1/orders/{order_id}/documents",
                    visit.token,
                    file,
                    key=f"{visit.form_key}-{name}-{i}",
                    fields={"kind": files.kind},
                )
            except Refused as e:
                raise _of_file(e, name, file) from e
            ids.append(answer.body["document_id"])
        params[name] = ids[0] if files.single else ids
    return params


def _of_file(refused: Refused, name: str, file: File) -> Refused:
    """The refusal of a file, as one of the field that it was chosen in."""
    if refused.status not in (413, 415, 422):
        return refused
    why = refused.fields.get("file") or refused.detail
    told = {"errors": [{"field": name, "message": f"“{file.name[:80]}”: {why}"}]}
    return replace(refused, document=told)


def _done(label: str, order: Any) -> str:
    """What the next page says. The label is the form's own and is shown to nobody but who sent it."""
    said = tr("%(action)s: done.", action=label[:80]) if label else tr("Done.")
    made = [str(m.get("number", "")) for m in order.get("placed") or () if isinstance(m, dict)]
    if made:
        said += " " + tr("New order: %(numbers)s.", numbers=", ".join(made))
    now = tr("The order is now: %(status)s.", status=known(str(order.get("status_label", ""))))
    return f"{said} {now}"


async def _refused(visit: Visit, error: Refused) -> Response:
    if error.status in (403, 404):
        raise error
    if error.code == "idempotency_in_flight":
        visit.say(tr("That is being done already: the form was sent twice."))
        return visit.go(f"/orders/{visit.id('order_id')}")
    if error.status in (409, 412) or error.code == "idempotency_key_reused":
        return await _changed_page(visit, error)
    fields: dict[str, str] = {}
    for path, message in error.fields.items():
        # the path may begin with "params" and go on below the parameter: "lines.0.quantity"
        name = path.removeprefix("params.").partition(".")[0]
        text = message[:1].upper() + message[1:] + ("" if message.endswith(".") else ".")
        fields[name] = f"{fields[name]} {text}" if name in fields else text
    return await _form_page(visit, 422, errors=fields or {"": error.detail})


async def _form_of(visit: Visit, order: Order, errors: Mapping[str, str]) -> Form | None:
    """The form, filled in as it was sent; None where the action is not possible (any more)."""
    wanted = [a for a in order.allowed_actions if a.name == _action(visit)]
    if not wanted:
        return None
    units = await units_of(visit, order, wanted)
    return build(wanted[0], order, units=units, values=visit.posted, errors=errors)


async def _form_page(visit: Visit, status: int, errors: Mapping[str, str] | None = None) -> Response:
    order = await order_of(visit, visit.id("order_id"))
    made = await _form_of(visit, order, errors or {})
    if made is None:
        return await _impossible(visit, order)
    return await visit.page("action.html", status, order=order, form=made, changed=None, lost=_lost_files(visit))


async def _changed_page(visit: Visit, error: Refused) -> Response:
    """Somebody was faster: what is now, and the form again. An order that did not move has a reason of its own."""
    order = await order_of(visit, visit.id("order_id"))
    same = visit.posted.one("etag") == str(order.sequence) and error.code != "idempotency_key_reused"
    made = await _form_of(visit, order, {"": error.detail} if same else {})
    if made is None:
        return await _impossible(visit, order, error)
    if same:
        return await visit.page("action.html", 409, order=order, form=made, changed=None, lost=_lost_files(visit))
    changed = "" if error.status == 412 else error.detail
    return await visit.page("action.html", 409, order=order, form=made, changed=changed, lost=_lost_files(visit))


async def _impossible(visit: Visit, order: Order, error: Refused | None = None) -> Response:
    blocked = next((a for a in order.blocked_actions if a.name == _action(visit)), None)
    why = sentence(blocked.blocked or "") if blocked else ""
    etag = visit.posted.one("etag")
    return await visit.page(
        "action_gone.html",
        409,
        order=order,
        changed=bool(etag) and etag != str(order.sequence),
        label=known(blocked.label) if blocked else visit.posted.one("label")[:80],
        why=why if blocked else error.detail if error and error.status != 412 else "",
    )


def _lost_files(visit: Visit) -> Sequence[str]:
    """Names of files that have to be chosen again: no page may fill a file field in."""
    return [f.name for files in visit.posted.files.values() for f in files]


_ADDRESS: Final = "/orders/{order_id:uuid}/actions/{action}"
PAGES: Final[Sequence[Page]] = (
    Page(_ADDRESS, show),
    form(_ADDRESS, act, home="/orders/{order_id}/actions/{action}", files=True),
)
