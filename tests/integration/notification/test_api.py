"""The HTTP API over real HTTP: one's own feed, settings, live stream, unsubscribing, and what others may not see."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from deploy.embedded.mailbox import Mailbox
from services.notification import signing
from services.notification.app import service
from services.notification.store import delivering
from shared.ids import new_id
from shared.process import running
from tests.integration.notification.world import World, opened
from tests.issuer import TokenIssuer, serving_issuer
from tests.stack import StackDatabase
from tests.waiting import until


class Api:
    """The API as somebody of the world calls it."""

    def __init__(self, world: World, issuer: TokenIssuer, session: aiohttp.ClientSession, base: str) -> None:
        self.world, self.issuer, self.session, self.base = world, issuer, session, base

    def headers(self, name: str, **claims: Any) -> dict[str, str]:
        who = self.world.people[name]
        return self.issuer.bearer(
            marketplace_id=claims.pop("marketplace_id", self.world.marketplace_id),
            organisation_id=who.organisation_id, person_id=who.person_id, roles=who.roles, **claims,
        )  # fmt: skip

    async def call(self, method: str, path: str, name: str | None, body: Any = None, **given: Any) -> tuple[int, Any]:
        headers = {**(self.headers(name, **given.pop("claims", {})) if name else {}), **given.pop("headers", {})}
        async with self.session.request(method, self.base + path, json=body, headers=headers, **given) as answer:
            self.last = answer
            text = await answer.text()
            return answer.status, json.loads(text) if "json" in answer.content_type else text

    async def get(self, path: str, name: str | None = "seller", **given: Any) -> Any:
        status, answer = await self.call("GET", path, name, **given)
        assert status == 200, answer
        return answer


@pytest.fixture
async def api(module_database: StackDatabase, mailbox: Mailbox, free_port: Callable[[], int]) -> AsyncIterator[Api]:
    async with serving_issuer() as issuer, aiohttp.ClientSession() as session:
        port = free_port()
        given: dict[str, Any] = {"http_port": port, "identity_issuer": issuer.url}
        given |= {"stream_clients_per_person": 2, "stream_heartbeat_seconds": 0.3}
        async with (
            opened(module_database, mailbox, **given) as world,
            running(service(world.settings, world.clock), roles={"api"}),
        ):
            yield Api(world, issuer, session, f"http://127.0.0.1:{port}")


async def test_the_feed_is_ones_own_and_counts(api: Api) -> None:
    order = api.world.order(number="ORD-5")
    await api.world.tell(api.world.created(order))
    [item] = (await api.get("/v1/notifications"))["items"]
    assert item["title"] == "New order ORD-5 from Buyer-org Ltd"
    assert item["link"] == {
        "label": "View order", "path": f"/orders/{order.order_id}", "url": f"http://127.0.0.1:8000/orders/{order.order_id}",
    }  # fmt: skip
    assert await api.get("/v1/notifications/unread-count") == {"unread": 1, "unseen": 1}
    assert (await api.get("/v1/notifications", "rival"))["items"] == []
    foreign = {"marketplace_id": new_id()}
    assert (await api.get("/v1/notifications", claims=foreign))["items"] == []


async def test_feed_and_labels_come_in_the_language_that_is_asked_for_else_in_the_persons(api: Api) -> None:
    order = api.world.order(number="ORD-6")
    await api.world.tell(api.world.created(order))
    english, norwegian = "New order ORD-6 from Buyer-org Ltd", "Ny ordre ORD-6 fra Buyer-org Ltd"
    for wish, title, label in (
        ("nb-NO, en;q=0.5", norwegian, "Meldinger"),
        ("tlh, nb;q=0", english, "Messages"),
        ("," * 2_000, english, "Messages"),
        ("", english, "Messages"),
    ):
        asked: dict[str, Any] = {"headers": {"Accept-Language": wish}}
        [item] = (await api.get("/v1/notifications", **asked))["items"]
        [grouped] = (await api.get("/v1/notifications?group=order", **asked))["items"]
        assert (item["title"], grouped["title"]) == (title, title), wish
        shown = await api.get("/v1/preferences", **asked)
        assert next(c["label"] for c in shown["categories"] if c["name"] == "messages") == label
        assert (shown["language"], shown["language_chosen"]) == ("en", False), "asking chooses nothing"


async def test_marking_and_what_is_anothers(api: Api) -> None:
    await api.world.tell(api.world.created(), api.world.created())
    first, second = (await api.get("/v1/notifications"))["items"]
    path = f"/v1/notifications/{first['id']}"
    status, answer = await api.call("POST", f"{path}/read", "rival")
    absent, words = await api.call("POST", f"/v1/notifications/{new_id()}/read", "rival")
    assert (status, answer["code"], answer["detail"]) == (absent, words["code"], words["detail"])
    assert status == 404
    status, answer = await api.call("POST", f"{path}/read", "seller")
    assert (status, bool(answer["read_at"])) == (200, True)
    assert await api.get("/v1/notifications/unread-count") == {"unread": 1, "unseen": 1}
    assert (await api.call("POST", "/v1/notifications/seen", "seller"))[1] == {"marked": 1}
    assert await api.get("/v1/notifications/unread-count") == {"unread": 1, "unseen": 0}
    assert (await api.call("POST", f"{path}/archive", "seller"))[0] == 200
    assert [n["id"] for n in (await api.get("/v1/notifications"))["items"]] == [second["id"]]
    assert [n["id"] for n in (await api.get("/v1/notifications?state=archived"))["items"]] == [first["id"]]
    assert (await api.call("POST", f"{path}/unread", "seller"))[1]["read_at"] is None
    assert (await api.call("POST", "/v1/notifications/read-all", "seller", {}))[1] == {"marked": 1}
    assert (await api.get("/v1/notifications/unread-count"))["unread"] == 0


async def test_the_same_key_is_the_same_answer(api: Api) -> None:
    await api.world.tell(api.world.created())
    key = {"headers": {"Idempotency-Key": "once"}}
    first = await api.call("POST", "/v1/notifications/read-all", "seller", {}, **key)
    key = {"headers": {"Idempotency-Key": "once"}}
    assert await api.call("POST", "/v1/notifications/read-all", "seller", {}, **key) == first == (200, {"marked": 1})
    assert api.last.headers["Idempotency-Replayed"] == "true"


async def test_pages_and_groups(api: Api) -> None:
    world = api.world
    orders = [world.order(number=f"ORD-{n}") for n in range(3)]
    await world.tell(*(world.created(o) for o in orders))
    await world.tell(*(world.message(orders[0], world.actor("buyer", "buyer"), "buyer", f"hi {n}") for n in range(3)))
    seen: list[str] = []
    cursor = ""
    while True:
        page = await api.get(f"/v1/notifications?limit=2{cursor}")
        seen += [n["id"] for n in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert len(seen) == len(set(seen)) == 6
    groups = (await api.get("/v1/notifications?group=order"))["items"]
    assert [(g["order_number"], g["total"], g["unread"]) for g in groups] == [
        ("ORD-0", 4, 4), ("ORD-2", 1, 1), ("ORD-1", 1, 1),
    ]  # fmt: skip
    status, answer = await api.call("GET", "/v1/notifications?cursor=nonsense", "seller")
    assert (status, answer["code"]) == (400, "invalid_cursor")


async def test_settings_are_whole_versioned_and_keep_what_is_required(api: Api) -> None:
    shown = await api.get("/v1/preferences")
    tag = api.last.headers["ETag"]
    assert shown["language"] == "en"
    states = {c["name"]: (c["in_app"], c["email"]) for c in shown["categories"]}
    assert states["order_confirmation"] == ("required", "required")
    assert states["team_orders"] == ("on", "off")
    wanted = {
        "language": "nb", "time_zone": "Europe/Oslo", "quiet_hours": {"start": "22:00", "end": "07:00"},
        "digest": {"mode": "daily", "at": "07:30"}, "categories": {"messages": {"email": False}},
    }  # fmt: skip
    status, written = await api.call("PUT", "/v1/preferences", "seller", wanted, headers={"If-Match": tag})
    assert status == 200
    assert (written["language"], written["digest"]) == ("nb", {"mode": "daily", "at": "07:30"})
    assert written["language_chosen"]
    assert next(c for c in written["categories"] if c["name"] == "messages")["email"] == "off"
    assert next(c for c in written["categories"] if c["name"] == "messages")["label"] == "Meldinger"
    status, answer = await api.call("PUT", "/v1/preferences", "seller", wanted, headers={"If-Match": tag})
    assert (status, answer["current"]["language"]) == (412, "nb")
    for bad, code in (
        ({"categories": {"security": {"email": False}}}, "required_category"),
        ({"categories": {"nonsense": {"email": False}}}, "unknown_category"),
        ({"language": "tlh"}, "unknown_language"),
        ({"time_zone": "Mars/Olympus"}, None),
        ({"quiet_hours": {"start": "24:00", "end": "07:00"}}, None),
        ({"surprise": 1}, None),
    ):
        status, answer = await api.call("PUT", "/v1/preferences", "seller", bad)
        assert status == 422
        assert code in (None, answer["code"])
    assert (await api.get("/v1/preferences"))["digest"]["mode"] == "daily"


async def test_acting_as_somebody_changes_no_settings_and_keys_have_no_feed(api: Api) -> None:
    acting = {"act": {"sub": str(new_id()), "name": "Olav", "reason": "holiday"}}
    assert (await api.call("PUT", "/v1/preferences", "seller", {}, claims=acting))[0] == 403
    key = api.issuer.bearer(marketplace_id=api.world.marketplace_id, api_key_id=new_id(), scopes=["*"])
    assert (await api.call("GET", "/v1/notifications", None, headers=key))[0] == 403
    assert (await api.call("GET", "/v1/notifications", None))[0] == 401


async def test_the_trail_shows_what_each_may_see(api: Api) -> None:
    order = api.world.order()
    await api.world.tell(api.world.created(order))
    path = f"/v1/orders/{order.order_id}/deliveries"

    async def seen(name: str) -> set[tuple[str, str]]:
        return {(d["person"], d["channel"]) for d in (await api.get(path, name))["items"]}

    seller = {
        ("Seller Person", "in_app"),
        ("Seller Person", "email"),
        ("Mate Person", "in_app"),
        ("Mate Person", "email"),
    }
    buyer = {("Buyer Person", "in_app"), ("Buyer Person", "email")}
    assert await seen("operator") == seller | buyer
    assert await seen("seller") == seller
    assert await seen("buyer") == await seen("boss") == buyer
    assert await seen("rival") == set()


async def test_one_click_stops_a_category(api: Api) -> None:
    seller = api.world.people["seller"]
    async with api.world.runtime.worker_db.transaction() as tx:
        secret = (await delivering.mail_keys(tx))[0]
    token = signing.unsubscribe_token(
        secret, signing.Unsubscribe(api.world.marketplace_id, seller.person_id, "reminders")
    )
    path = f"/v1/unsubscribe?token={token}"

    async def email() -> str:
        categories = (await api.get("/v1/preferences"))["categories"]
        return str(next(c for c in categories if c["name"] == "reminders")["email"])

    status, page = await api.call("GET", path, None)
    assert status == 200
    assert "Stop these e-mails?" in page
    assert "script" not in api.last.headers["Content-Security-Policy"]
    assert await email() == "on"  # following the link does nothing by itself
    for _ in range(2):
        form = aiohttp.FormData({"List-Unsubscribe": "One-Click"})
        async with api.session.post(api.base + path, data=form) as answer:
            assert answer.status == 200
    assert await email() == "off"
    forged = path[:-1] + ("x" if path[-1] != "x" else "y")
    assert (await api.call("GET", forged, None))[0] == 404
    assert (await api.call("GET", "/v1/unsubscribe?token=zzz", None))[0] == 404


@asynccontextmanager
async def watching(api: Api, name: str, **headers: str) -> AsyncIterator[asyncio.Queue[tuple[str, Any]]]:
    """The events of somebody's live feed, as they come."""
    events: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()

    async def read() -> None:
        url = f"{api.base}/v1/notifications/stream"
        async with api.session.get(url, headers={**api.headers(name), **headers}) as answer:
            assert answer.status == 200
            assert answer.content_type == "text/event-stream"
            kind = ""
            async for raw in answer.content:
                text = raw.decode().strip()
                if text.startswith("event: "):
                    kind = text[7:]
                elif text.startswith("data: "):
                    events.put_nowait((kind, json.loads(text[6:])))
                elif text.startswith(":"):
                    events.put_nowait(("heartbeat", None))

    task = asyncio.create_task(read())
    try:
        yield events
    finally:
        task.cancel()
        await asyncio.wait([task])


async def next_of(events: asyncio.Queue[tuple[str, Any]], kind: str) -> Any:
    async with asyncio.timeout(60):
        while True:
            got, data = await events.get()
            if got == kind:
                return data


async def next_news(events: asyncio.Queue[tuple[str, Any]]) -> tuple[str, Any]:
    """The next event that is not a heartbeat."""
    async with asyncio.timeout(60):
        while (news := await events.get())[0] == "heartbeat":
            pass
        return news


async def test_a_live_feed_tells_at_once_and_beats(api: Api) -> None:
    await api.world.tell(api.world.created(api.world.order(number="ORD-OLD")))
    async with watching(api, "seller") as events:
        assert await next_of(events, "counts") == {"unread": 1, "unseen": 1}
        await next_of(events, "heartbeat")
        await api.world.tell(api.world.created(api.world.order(number="ORD-NEW")))
        # one look shows both, or the counts come with one and the notification with the next
        news = dict([await next_news(events), await next_news(events)])
        assert news["notification"]["order_number"] == "ORD-NEW"
        assert news["counts"]["unread"] == 2
        # marking it in another window is seen here
        await api.call("POST", f"/v1/notifications/{news['notification']['id']}/read", "seller")
        assert (await next_of(events, "counts"))["unread"] == 1
    async with watching(api, "seller", **{"Last-Event-ID": (await oldest(api))}) as events:
        assert (await next_of(events, "notification"))["order_number"] == "ORD-NEW"


async def oldest(api: Api) -> str:
    return str((await api.get("/v1/notifications"))["items"][-1]["id"])


async def test_live_feeds_are_bounded_and_end_with_the_process(api: Api) -> None:
    async with watching(api, "seller") as one, watching(api, "seller") as two:
        await next_of(one, "counts")
        await next_of(two, "counts")
        status, answer = await api.call("GET", "/v1/notifications/stream", "seller")
        assert (status, answer["code"]) == (429, "too_many_streams")

    async def free() -> bool:
        async with api.session.get(f"{api.base}/v1/notifications/stream", headers=api.headers("seller")) as answer:
            return answer.status == 200

    await until(free, what="the seats to be free again")


async def test_a_suppressed_address_is_shown_and_can_be_resumed(api: Api) -> None:
    world = api.world
    await world.tell(world.member("seller", "seller-org", "seller", email="Seller@Test.Example"))
    async with world.runtime.worker_db.transaction() as tx:
        await delivering.suppress_address(tx, world.marketplace_id, "seller@TEST.example", "550 gone", world.clock())
    assert (await api.get("/v1/preferences"))["email"]["state"] == "suppressed"
    [event_id] = await world.tell(world.created())
    assert [m["reason"] for m in await world.mails(event_id=event_id, state="suppressed")] == ["550 gone"]
    status, email = await api.call("POST", "/v1/preferences/email/resume", "seller")
    assert (status, email) == (
        200, {"address": "Seller@Test.Example", "state": "ok", "reason": None, "since": None},
    )  # fmt: skip
    await world.tell(world.created(world.order()))
    assert len(await world.mails(state="suppressed")) == 1
