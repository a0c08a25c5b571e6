"""What the pages say and never say: hostile text, links, the way of an order, charts, colours."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from lxml import html

from contracts.money import Money
from services.console.calls import Answer
from services.console.changes import resolution, said
from services.console.charts import Value, bars
from services.console.forms import build
from services.console.outside import Ways
from services.console.pages.order import Draft, Talk, stages
from services.console.pages.orders import Filters
from services.console.pages.signing import local_path
from services.console.pages.trail import ARRIVED, _all, happenings
from services.console.rendering import Renderer, content, duration, money, share, web_link
from services.console.schemas import (
    Action,
    Conversation,
    Delivery,
    Entry,
    Lifecycle,
    Message,
    Notice,
    Notices,
    State,
    Thread,
    Timeline,
)
from services.console.session import Person
from services.console.visit import Counts, Visit
from tests.unit.console.builders import LINE_1, LINE_2, NOW, order

# what no template may have: unescaped text, script but for the two files, style of its own, other origins (but for one
# example)
FORBIDDEN = re.compile(
    r"\|\s*safe|autoescape|<script(?! src=\"\{\{ asset\('(live|keys)\.js'\) \}\}\" defer></script>)|"
    r"<style|\sstyle=|\son[a-z]+=|https?://(?!shop\.example)"
)
FOREIGN = "//script[not(starts-with(@src, '/static/'))] | //script[text()] | //*[@onerror]"
HOSTILE = "</textarea></title><script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7777*7777}}{%x%}&lt;\u202e"
SELLER = Person("p", HOSTILE, HOSTILE, ("seller",), HOSTILE, "seller", "m", HOSTILE, "storefront", "Europe/Oslo")
COURSE = Lifecycle(
    name="storefront", version=1,
    states=tuple(
        State(name=n, phase=p, label=label)
        for n, p, label in (
            ("pending", "pending", "New"), ("processing", "preparing", "Processing"),
            ("shipped", "in_transit", "Shipped"), ("done", "completed", "Done"), ("gone", "canceled", "Gone"),
        )
    ),
)  # fmt: skip


def rendered(template: str, **values: Any) -> str:
    given = {
        "me": SELLER, "own": None, "csrf": "token", "notice": HOSTILE, "counts": Counts(3, None),
        "zone": ZoneInfo("Europe/Oslo"), "path": "/orders", "here": "/orders", **values,
    }  # fmt: skip
    return Renderer().render(template, given)


def parsed(page: str) -> Any:
    return html.document_fromstring(page)


def order_page(text: str) -> str:
    shown = order(text)
    message = {
        "message_id": str(shown.order_id), "seq": 1, "posted_at": NOW, "text": text,
        "sender": {"side": "buyer", "name": text, "organisation_name": text, "acted_by_name": text},
    }  # fmt: skip
    thread = Thread.model_validate(
        {"order_id": shown.order_id, "order_number": text, "kind": "buyer_seller", "own_side": "seller", "unread": 1}
    )
    entry = {
        "sequence": 1, "at": NOW, "event_id": UUID(int=1), "event": text, "label": text,
        "action": "x", "from_status": "pending", "to_status": "processing",
        "to_phase": "preparing", "actor": {"name": text, "on_behalf_of_name": text}, "reason": text,
        "acting_reason": text,
        "details": {
            "location": text, "parcel": {"number": 1, "carrier": text}, "issue": {"kind": text, "resolution": text},
            "selected": [{"line_id": str(LINE_1), "units": [str(UUID(int=77))]}],
            "accepted": [{"line_id": str(LINE_2), "quantity": "2.5"}], "paid": text, "unheard_of": text,
            "placed": [{"order_id": str(UUID(int=78)), "number": text}], "external_status": {"to": text},
        },
    }  # fmt: skip
    actions = [
        Action(name="act", label=text, params={"properties": {
            "a": {"type": "string", "title": text, "description": text},
            "b": {"type": "string", "enum": [text]},
        }}),
    ]  # fmt: skip
    blocked = (Action(name="b", label=text, blocked=text),)
    return rendered(
        "order.html",
        order=shown.model_copy(update={"blocked_actions": blocked}), forms=[build(a, shown) for a in actions],
        stages=stages(shown, COURSE, SELLER), labels={}, line_labels={}, due={}, said=said, resolution=resolution,
        timeline=Timeline.model_validate({"items": [entry]}),
        paged=False, papers=True, evidence=True, draft=Draft(text, text), quantity=lambda a, u: text,
        talk=Talk((thread,), Conversation.model_validate({"thread": thread, "items": [message]})),
    )  # fmt: skip


def test_hostile_text_in_every_field_of_an_order_adds_no_element_and_no_attribute() -> None:
    plain, hostile = parsed(order_page("Plain")), parsed(order_page(HOSTILE))
    assert not hostile.xpath(f"{FOREIGN} | //img[@src='x']")

    def shape(tree: Any) -> list[tuple[str, tuple[str, ...]]]:
        return [(str(e.tag), tuple(sorted(e.keys()))) for e in tree.iter() if e.tag != "a"]

    assert shape(plain) == shape(hostile)
    # the only link that an order brings along is the tracking link, and this one is no web address
    assert [a for a in plain.xpath("//a/@href") if a.startswith("https:")] == ["https://track.example/"]
    assert not [a for a in hostile.xpath("//a/@href") if not a.startswith(("/", "?", "#"))]
    assert hostile.xpath("//ol[@class='talk']//p[@class='text']/text()") == [HOSTILE]
    assert hostile.xpath("//textarea[@id='text']/text()") == [HOSTILE]
    assert str(7777 * 7777) not in hostile.xpath("string(//main)")


def _entry(n: int, at: Any, **more: Any) -> Entry:
    given = {"sequence": n, "at": at, "event_id": UUID(int=n), "event": "order.updated", "label": f"Step {n}",
             "action": "x", "to_status": "pending", "to_phase": "pending", "actor": {"name": "Sam"}}  # fmt: skip
    return Entry.model_validate(given | more)


def _notice(event: int, at: Any, **more: Any) -> Notice:
    given = {"event_id": UUID(int=event), "event_type": "message.posted", "person": "Sam", "channel": "email",
             "state": "sent", "occurred_at": at}  # fmt: skip
    return Notice.model_validate(given | more)


def _delivery(event: int, at: Any, **more: Any) -> Delivery:
    given = {"delivery_id": UUID(int=99), "endpoint_id": UUID(int=98), "webhook_id": "msg", "event_id": UUID(int=event),
             "type": "order.updated", "state": "delivered", "created_at": at}  # fmt: skip
    return Delivery.model_validate(given | more)


def test_a_trail_puts_everything_beside_the_event_that_caused_it() -> None:
    first, second, late = ("2026-03-02T12:00:00Z", "2026-03-02T12:00:01Z", "2026-03-02T15:00:00Z")
    told = [_notice(2, second), _notice(7, late)]
    sent = [_delivery(1, late), _delivery(2, late, origin="replay"), _delivery(50, first, origin="test")]
    # two steps of one moment keep their order
    made = happenings([_entry(1, first), _entry(2, first)], told, sent)
    assert [(h.event, h.entry.label if h.entry else "", len(h.told), len(h.sent)) for h in made] == [
        ("order.updated", "Step 1", 0, 1), ("order.updated", "Step 2", 1, 1), ("message.posted", "", 1, 0),
    ]  # fmt: skip


def test_the_trail_says_what_each_change_was_about_and_who_wrote_a_message() -> None:
    shipped = _entry(1, NOW, details={"parcel": {"number": 2, "carrier": "UPS", "tracking_number": "1Z2"}})
    notice = _notice(7, NOW, actor="Sam Seller", actor_side="seller", actor_for="Sue Seller")
    page = parsed(
        rendered(
            "trail.html", order=order("Plain"),
            happenings=happenings([shipped], [notice], [_delivery(7, NOW, state="pending")]), labels={}, missing="",
            unread="", cut=2_000, endpoints={}, unnamed="an endpoint", arrived=ARRIVED, states={}, tones={}, said=said,
        )
    )  # fmt: skip
    message = " ".join(page.xpath("string(//ol/li[.//code='message.posted'])").split())
    assert "Sam Seller (seller) as Sue Seller, message.posted" in message
    assert "Webhook: an endpoint" in message
    assert "waits for the one before it" in message
    assert "Parcel 2, UPS, 1Z2" in page.xpath("string(//ol/li[.//code='order.updated'])")
    assert "the first 2,000 each are shown" in page.xpath("string(//p[@role='alert'])")


async def test_a_trail_that_is_longer_than_its_page_says_so() -> None:
    class Long:
        """Notices without an end."""

        async def get(self, *_: object) -> Answer:
            return Answer(200, {"items": [_notice(1, NOW).model_dump(mode="json")], "next_cursor": "more"})

    found = await _all(Notices, cast(Visit, Long()), "notification", "/")
    assert (found.cut, len(found.items)) == (True, 10)


def _message(seq: int, at: Any, name: str = "Sam") -> Message:
    sender = {"side": "seller", "name": name}
    return Message.model_validate(
        {"message_id": UUID(int=500), "seq": seq, "posted_at": at, "sender": sender, "text": ""}
    )


def test_a_trail_has_every_message_once_whatever_it_led_to() -> None:
    at = ["2026-03-02T12:00:00.000001Z", "2026-03-02T12:00:05Z", "2026-03-02T12:00:09Z", "2026-03-02T12:01:00Z"]
    # of a thread with two messages, and of another one with two
    written = [_message(1, at[0]), _message(2, at[1]), _message(1, at[2], "Olga"), _message(2, at[3], "Olga")]
    told = [_notice(7, at[1])]
    sent = [_delivery(7, "2026-03-02T12:00:06Z", type="message.posted", sequence=2),
            _delivery(8, "2026-03-02T12:00:10Z", type="message.posted", sequence=1)]  # fmt: skip
    made = happenings([_entry(1, "2026-03-02T11:00:00Z")], told, sent, written)
    assert [(h.message and (h.message.sender.name, h.message.seq), len(h.told), len(h.sent)) for h in made] == [
        (None, 0, 0), (("Sam", 1), 0, 0), (("Sam", 2), 1, 1), (("Olga", 1), 0, 1), (("Olga", 2), 0, 0),
    ]  # fmt: skip


def test_hostile_text_of_a_trail_stays_text() -> None:
    def page(text: str) -> Any:
        entry = _entry(1, NOW, label=text, reason=text, acting_reason=text, actor={"name": text}, from_status="new")
        notice = _notice(1, NOW, person=text, organisation=text, address=text, state="failed", reason=text)
        written = _notice(2, NOW, actor=text, actor_for=text, actor_side=text)
        delivery = _delivery(1, NOW, state="exhausted", last_error=text)
        return parsed(
            rendered(
                "trail.html", order=order(text),
                happenings=happenings([entry], [notice, written], [delivery], [_message(1, NOW, text)]), labels={},
                missing="", unread="", cut=0, endpoints={delivery.endpoint_id: text}, unnamed=text, arrived=ARRIVED,
                states={}, tones={}, said=said,
            )
        )  # fmt: skip

    plain, hostile = page("Plain"), page(HOSTILE)
    assert [(e.tag, sorted(e.keys())) for e in plain.iter()] == [(e.tag, sorted(e.keys())) for e in hostile.iter()]
    assert str(7777 * 7777) not in hostile.xpath("string(//main)")


@pytest.mark.parametrize("name", ["down.html", "problem.html", "forbidden.html", "sign_in.html"])
def test_hostile_text_in_refusals_stays_text(name: str) -> None:
    error = type("Told", (), {"part": HOSTILE, "service": HOSTILE, "why": HOSTILE, "detail": HOSTILE})
    page = rendered(
        name, error=error, home="/orders", again=[(HOSTILE, HOSTILE)], title=HOSTILE, detail=HOSTILE, next=HOSTILE,
        email=HOSTILE, problem=HOSTILE, demo=[(HOSTILE, [HOSTILE])],
        ways=Ways(True, HOSTILE), outside="/sign-in/outside",
    )  # fmt: skip
    tree = parsed(page)
    assert not tree.xpath(f"{FOREIGN} | //img")


def test_no_template_turns_escaping_off_or_brings_script_or_style_along() -> None:
    for path in sorted(Path(str(files("services.console"))).glob("templates/*.html")):
        text = path.read_text()
        assert not FORBIDDEN.search(text), path
        for tag in re.findall(r"<form method=\"post\".*?</form>", text, re.S):
            assert re.search(r"parts\.(once|token)\(\)|parts_once\(\)", tag), (path, tag[:100])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("/orders?q=a&sort=-total", "/orders?q=a&sort=-total"),
        ("/orders/1?thread=x", "/orders/1?thread=x"),
        ("", "/orders"),
        ("orders", "/orders"),
        ("//evil.example", "/orders"),
        ("/\\evil.example", "/orders"),
        ("/a\\b", "/orders"),
        ("https://evil.example", "/orders"),
        ("javascript:alert(1)", "/orders"),
        ("/a\r\nset-cookie: x", "/orders"),
        ("/\t/evil.example", "/orders"),
        ("/sign-out", "/orders"),
        ("/" + "a" * 3_000, "/orders"),
    ],
)
def test_signing_in_leads_to_own_pages_only(given: str, expected: str) -> None:
    assert local_path(given) == expected


def test_only_web_addresses_become_links() -> None:
    assert web_link("https://a.example/x") == "https://a.example/x"
    for text in ("javascript:alert(1)", " https://a", "data:text/html,x", "//a.example", None, "ftp://a"):
        assert web_link(text) == ""


def test_durations_and_shares_are_written_as_people_say_them() -> None:
    shown = {None: "", 0: "less than a minute", 59: "less than a minute", 60: "1 min", 3_600: "1 h", 3_660: "1 h 1 min",
             86_400: "1 d", 90_000: "1 d 1 h", 86_460: "1 d"}  # fmt: skip
    assert {s: duration(s) for s in shown} == shown
    assert [share(r) for r in (None, "0", "0.3333", "1")] == ["\u2013", "0.0 %", "33.3 %", "100.0 %"]


def test_money_has_the_digits_of_its_currency() -> None:
    shown = {c: money(Money(amount=a, currency=c)) for a, c in (("1012.50", "EUR"), ("1012", "JPY"), ("-2.125", "BHD"))}
    assert shown == {"EUR": "€1,012.50", "JPY": "JP¥1,012", "BHD": "-BHD\u00a02.125"}
    assert money(None) == ""


@pytest.mark.parametrize(
    ("status", "phase", "times", "expected"),
    [
        ("pending", "pending", ["pending"], ["now New", "ahead Processing", "ahead Shipped", "ahead Done"]),
        ("shipped", "in_transit", ["pending", "processing", "shipped"],
         ["done New", "done Processing", "now Shipped", "ahead Done"]),
        ("done", "completed", ["pending", "done"], ["done New", "now Done"]),
        ("gone", "canceled", ["pending", "processing", "gone"], ["done New", "done Processing", "now Gone"]),
    ],
)  # fmt: skip
def test_the_stage_bar_shows_where_an_order_has_been_is_and_goes(
    status: str, phase: str, times: list[str], expected: list[str]
) -> None:
    label = next(s.label for s in COURSE.states if s.name == status)
    shown = order(
        status=status, phase=phase, status_label=label, status_times=[{"status": t, "at": NOW} for t in times]
    )
    assert [f"{s.state} {s.label}" for s in stages(shown, COURSE, SELLER)] == expected
    # without the lifecycle the phases still tell it
    assert [s.state for s in stages(shown, None, SELLER)].count("now") == 1


def test_bars_keep_their_proportions_inside_the_picture() -> None:
    chart = bars([Value(str(i), str(i), Decimal(a), a) for i, a in enumerate(("10", "5", "0", "0.01", "-3"))])
    assert chart is not None
    heights = [b.height for b in chart.bars]
    assert heights[1] == pytest.approx(heights[0] / 2, abs=0.01)
    assert heights[2] == heights[4] == 0
    assert heights[3] == 1.5
    assert all(b.x >= 0 and b.x + b.width <= chart.width and b.y >= 0 for b in chart.bars)
    assert bars([]) is None
    assert bars([Value("a", "a", Decimal(0), "0")]) is None
    many = bars([Value(str(i), str(i), Decimal(1), "1") for i in range(366)])
    assert many is not None
    assert len(many.ticks) <= 7


def _luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    full = "".join(c * 2 for c in digits) if len(digits) == 3 else digits
    channels = [int(full[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_colours_can_be_told_apart_in_both_themes(theme: int) -> None:
    """WCAG 2.2: 4.5 to 1 for text (1.4.3), 3 to 1 for the edges of controls (1.4.11)."""
    blocks = re.findall(r":root \{(.*?)\}", content("console.css").decode(), re.S)
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6});", blocks[theme]))
    pairs = [
        (text, back, 4.5)
        for text in ("text", "muted", "link")
        for back in ("page", "surface", "sunken")
    ] + [(tone, f"{tone}-back", 4.5) for tone in ("info", "warn", "good", "bad", "plain")]  # fmt: skip
    pairs += [("on-accent", "accent", 4.5), ("on-accent", "accent-over", 4.5)]
    pairs += [("edge", "surface", 3.0), ("edge", "page", 3.0), ("accent", "surface", 3.0), ("bad", "surface", 4.5)]
    weak = {
        (a, b): round(_contrast(colours[a], colours[b]), 2)
        for a, b, least in pairs
        if _contrast(colours[a], colours[b]) < least
    }
    assert not weak


def test_the_bar_says_when_an_order_came_to_where_it_is() -> None:
    """A phase may have several statuses: received and then closed, or disputed and settled."""
    later = NOW + timedelta(days=14)
    course = COURSE.model_copy(update={"states": (*COURSE.states, State(name="shut", phase="completed", label="Shut"))})
    times = [{"status": "pending", "at": NOW}, {"status": "done", "at": NOW}, {"status": "shut", "at": later}]
    shown = order(status="shut", phase="completed", status_label="Shut", status_times=times)
    assert [(s.label, s.at) for s in stages(shown, course, SELLER)] == [("New", NOW), ("Shut", later)]


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({"accepted": [{"line_id": str(LINE_1), "quantity": "3"}, {"line_id": str(LINE_2), "quantity": "2.50"}]},
         ["Accepted: Plain (3), Plain (2.5 kg)"]),
        ({"selected": [{"line_id": str(LINE_1), "units": []}]}, ["Plain: none"]),
        ({"parcel": {"parcel_id": "x", "number": 2, "tracking_number": "1Z"}}, ["Parcel 2, 1Z"]),
        ({"issue": {"kind": "incident", "reason_code": "wrong_item", "state": "open"}}, ["Incident: wrong item"]),
        ({"issue": {"kind": "problem", "state": "resolved", "resolution": "reship: Sent by DHL"}},
         ["Reship: Sent by DHL"]),
        ({"issue": {"kind": "dispute", "state": "resolved", "resolution": "Mr. X: agreed"}}, ["Mr. X: agreed"]),
        ({"scheduled_for": "2026-03-14", "documents": ["a"]}, ["For 14 Mar 2026", "1 file"]),
        ({"placed": [{"order_id": str(UUID(int=3)), "number": "ORD-9"}]}, ["New order ORD-9"]),
        ({"accepted": 5, "parcel": None, "paid": "12.50 EUR", "unheard_of": 1}, ["12.50 EUR"]),
        ({}, []),
    ],
)  # fmt: skip
def test_what_a_change_was_about_is_said_in_words(details: dict[str, Any], expected: list[str]) -> None:
    assert [s.text for s in said(details, order())] == expected


def test_each_status_has_its_time_also_where_the_channel_passed_over_it() -> None:
    times = [{"status": "pending", "at": NOW}, {"status": "processing", "at": NOW, "inferred": True}]
    disputes = [
        {"issue_id": str(UUID(int=n)), "kind": "dispute", "state": state, "opened_at": NOW, "opened_by": "buyer"}
        for n, state in enumerate(("resolved", "open"))
    ]
    shown = order(
        status_times=times, external_status="IN_TRANSIT", shown={"code": "processing", "mark": "red"}, issues=disputes
    )
    page = parsed(
        rendered(
            "order.html", order=shown, forms=[], stages=[], labels={"pending": "New"}, line_labels={}, due={},
            said=said, resolution=resolution, timeline=Timeline(items=()), paged=False, papers=False, evidence=False,
            draft=Draft(), quantity=lambda a, u: str(a), talk=Talk(problem="None"),
        )
    )  # fmt: skip
    told = [" ".join(x.text_content().split()) for x in page.xpath("//section[@aria-labelledby='statuses']//li")]
    assert told == [
        "New12 Mar 2026, 14:05", "Processing12 Mar 2026, 14:05, inferred: the channel passed over it"
    ]  # fmt: skip
    assert "The channel says: IN_TRANSIT" in page.text_content()
    assert page.xpath("//h1//span[@class='dot red']/@aria-label") == ["red mark"], "not by its colour alone"
    assert page.xpath("//section[@aria-labelledby='issues']//strong/text()") == ["Dispute 1", "Dispute 2"], "counted"


def test_days_of_a_list_are_the_readers() -> None:
    zone = ZoneInfo("America/New_York")
    # the clocks go back on the first of November: that day has 25 hours
    filters = Filters(q="ada", placed_from="2026-11-01", placed_to="2026-11-01")
    assert filters.asked(zone) == [
        ("q", "ada"), ("placed_from", "2026-11-01T00:00:00-04:00"), ("placed_to", "2026-11-02T00:00:00-05:00"),
    ]  # fmt: skip
    for odd in ("soon", "9999-12-31", "2026-11-01T00:00:00Z"):
        assert Filters(placed_to=odd).asked(zone) == [("placed_to", odd)]
