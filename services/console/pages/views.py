"""Saved views: the filters of the order list under a name, for the person who saved them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.responses import Response

from services.console.entered import placed
from services.console.errors import Refused
from services.console.language import tr
from services.console.page import Page, form
from services.console.pages import orders
from services.console.pages.orders import Filters
from services.console.visit import Visit


async def save(visit: Visit) -> Response:
    filters, name = Filters.posted(visit.posted), visit.posted.one("name")
    if not name:
        return await orders.page(visit, filters, saving={"name": tr("Enter a name for the view.")})
    body = {"name": name, "filters": dict(filters.params())}
    try:
        await visit.send("POST", "identity", "/v1/me/views", body, key=visit.form_key)
    except Refused as e:
        if e.status not in (400, 409, 422):
            raise
        wrong = {"name": " ".join(placed(e, codes={"too_many_views": "name"}).values())}
        return await orders.page(visit, filters, saving=wrong)
    visit.say(tr("Saved as “%(name)s”.", name=name))
    return visit.go(f"/orders{filters.query()}")


async def remove(visit: Visit) -> Response:
    try:
        await visit.send("DELETE", "identity", f"/v1/me/views/{visit.id('view_id')}")
    except Refused as e:
        # removed already: that is what was wanted
        if e.status != 404:
            raise
    visit.say(tr("The view is removed. The orders in it stay as they are."))
    return visit.go("/orders")


PAGES: Final[Sequence[Page]] = (
    form("/orders/views", save, home="/orders"),
    form("/orders/views/{view_id:uuid}/remove", remove, home="/orders"),
)
