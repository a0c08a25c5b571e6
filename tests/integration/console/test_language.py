"""The console in Norwegian: every page of it, for whom, and when it is in English again."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import pytest

from deploy.texts import PACKAGES as TEXTS
from deploy.texts import read
from services.console.addresses import PAGES
from tests.integration.console.browser import Browser, Page
from tests.integration.console.conftest import PASSWORD, Town
from tests.integration.webhook.receiver import receiving
from tests.waiting import until

NORWEGIAN: Final = {"accept-language": "nb-NO,nb;q=0.9,en;q=0.8"}
ENGLISH: Final = {"accept-language": "en-GB,en;q=0.9"}
SELLER, BUYER, OPERATOR = (f"{who}@storefront.example" for who in ("seller", "buyer", "operator"))
PLACE: Final = re.compile(r"%\(\w+\)s")
# Of a text with places to fill, what stands around them has to be enough to know it by.
MOST_TELLING: Final = 10
SPOKEN: Final = ("aria-label", "placeholder", "title", "alt", "data-label", "data-one", "data-again", "data-show")
ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
FILES: Final = re.compile(r"/(print|packing-slip\.pdf|evidence\.zip)$|\.(csv|xlsx|parquet|svg)")


def english() -> re.Pattern[str]:
    """Whatever the catalogue says in other words, as a whole; of texts with markup, the parts between it."""
    [path] = next(p for p in TEXTS if p.name == "services.console").catalogues()
    whole: set[str] = set()
    spoken: set[str] = set()
    for message in read(path):
        sources, translated = (
            [x] if isinstance(x, str) else list(x or ()) for x in (message.id, message.string)
        )  # fmt: skip
        spoken |= {part for text in translated for part in _parts(text)}
        whole |= {part for text in sources for part in _parts(text)}
    telling = [t for t in whole - spoken if not PLACE.search(t) or len(PLACE.sub("", t)) >= MOST_TELLING]
    return re.compile("|".join(".*".join(map(re.escape, PLACE.split(t))) for t in sorted(telling)), re.DOTALL)


def _parts(text: str) -> Iterator[str]:
    for part in re.split(r"<[^>]*>", text.replace("%%", "%")):
        if re.search(r"[A-Za-z]{2}", PLACE.sub("", part)):
            yield part.strip()


def said(page: Page) -> Iterator[str]:
    """Every text of a page that is ours to say: what stands between tags, and what is read out."""
    for element in page.tree.iter():
        if not isinstance(element.tag, str) or element.tag in ("script", "style"):
            continue
        # codes, keys and what people wrote are what they are
        foreign = element.tag in ("code", "pre", "kbd", "textarea") or "text" in (element.get("class") or "").split()
        texts = [element.tail] if foreign else [element.text, element.tail]
        for text in [*texts, *(element.get(name) for name in SPOKEN)]:
            if plain := " ".join((text or "").split()):
                yield plain


async def walked(browser: Browser, start: Sequence[str]) -> dict[str, Page]:
    """The pages that `start` leads to: of each kind of address one."""
    pages: dict[str, Page] = {}
    waiting = list(start)
    while waiting:
        path = waiting.pop(0)
        kind = ID.sub("*", path.partition("#")[0])
        if urlsplit(path).netloc or not path.startswith("/") or kind in pages or FILES.search(urlsplit(path).path):
            continue
        if len([k for k in pages if k.partition("?")[0] == kind.partition("?")[0]]) > 3:
            continue
        pages[kind] = page = await browser.get(path)
        waiting += [link for link in page.links() if not link.startswith("/static")]
    return pages


@pytest.fixture
async def filled(town: Town, mug: str, order_id: str) -> AsyncIterator[str]:
    """An order with something of everything around it."""
    await town.talkable(BUYER, order_id)
    await town.call(BUYER, "POST", "messaging", f"/v1/orders/{order_id}/messages", {"text": "Hei"})
    await town.call(SELLER, "POST", "order", f"/v1/orders/{order_id}/actions/process", {})
    async with receiving() as receiver:
        body = {"url": receiver.url, "event_types": ["order.created"], "description": "Hei"}
        endpoint_id = (await town.call(SELLER, "POST", "webhook", "/v1/endpoints", body))[1]["endpoint_id"]
        await town.call(SELLER, "POST", "webhook", f"/v1/endpoints/{endpoint_id}/test", {"type": "order.created"})
        yield order_id
        await town.call(SELLER, "DELETE", "webhook", f"/v1/endpoints/{endpoint_id}")


STARTS: Final[dict[str, Sequence[str]]] = {
    OPERATOR: ("/orders", "/people/new", "/channels/web", "/lifecycles/storefront", "/balance?seller=unknown-seller"),
    SELLER: ("/orders", "/listings/new", "/webhooks/new", "/reports?clock=event&interval=month", "/nowhere", "/people"),
    BUYER: ("/orders", "/orders/new", "/inbox?show=archived", "/messages?show=awaiting", "/webhooks", "/balance"),
}  # fmt: skip


def unvisited(paths: Iterable[str]) -> set[str]:
    """Pages of the console that none of these is."""
    wanted = {p.path: re.sub(r"\{\w+(:\w+)?\}", "[^/]+", p.path) for p in PAGES if p.method == "GET" and p.counted}
    visited = {path.partition("?")[0] for path in paths}
    return {path for path, shape in wanted.items() if not any(re.fullmatch(shape, v) for v in visited)}


async def test_no_page_shows_an_english_text_that_has_a_translation(town: Town, filled: str) -> None:
    known, found, kinds = english(), {}, set()
    for email, start in STARTS.items():
        async with Browser(town.console, NORWEGIAN) as browser:
            entrance = await browser.get("/sign-in")
            failed = await browser.send(entrance, "/sign-in", email=email, password="")
            await browser.sign_in(email, PASSWORD)
            note = f"/orders/{filled}/actions/add_note"
            pages = await walked(browser, (f"/orders/{filled}", f"/orders/{filled}/trail", note, "/welcome", *start))
            for kind, page in {"/sign-in": entrance, "/sign-in?": failed, **pages}.items():
                kinds.add(kind.partition("?")[0])
                assert page.tree.get("lang") == "nb", kind
                wrong = {text for text in said(page) if known.fullmatch(text)}
                found.update({kind: wrong} if wrong else {})
    assert found == {}
    # the first leads on, and the numbers are no page
    assert unvisited(kinds) <= {"/", "/live"}


async def test_forms_say_what_is_wrong_in_the_language_of_their_page(town: Town, filled: str) -> None:
    known = english()
    async with Browser(town.console, NORWEGIAN) as browser:
        await browser.sign_in(SELLER, PASSWORD)
        for path, ending, given in (
            ("/listings/new", "/listings/new", {"price": "much"}),
            ("/webhooks/new", "/webhooks/new", {"url": "", "rate_limit": "x", "retries": "soon", "headers": "none"}),
            (f"/orders/{filled}", "/messages", {"text": ""}),
            (f"/orders/{filled}/actions/ship", "/actions/ship", {"p.tracking_url": "two\nlines"}),
        ):
            answer = await browser.fill(await browser.get(path), ending, given)
            assert answer.status == 422, path
            assert [text for text in said(answer) if known.fullmatch(text)] == [], path
        foreign = await browser.post("/inbox/read-all", [("csrf", "of another page")])
        assert (foreign.status, foreign.heading) == (403, "Denne siden er fra før du logget inn")


async def _settings(browser: Browser) -> Page | None:
    page = await browser.get("/settings/notifications")
    return page if page.status == 200 else None


async def test_papers_are_in_the_language_of_the_page_that_leads_to_them(town: Town, filled: str) -> None:
    for headers, language, heading in ((NORWEGIAN, "nb", "Ordre ORD-"), (ENGLISH, "en", "Order ORD-")):
        async with Browser(town.console, headers) as browser:
            await browser.sign_in(SELLER, PASSWORD)
            paper = await browser.get(f"/orders/{filled}/print")
            assert (paper.tree.get("lang"), paper.heading.startswith(heading)) == (language, True)


async def test_what_a_person_has_chosen_goes_before_what_the_browser_asks_for(town: Town) -> None:
    email = "member@supplier.example"
    async with Browser(town.console, ENGLISH) as browser:
        await browser.sign_in(email, PASSWORD)
        page: Any = await until(lambda: _settings(browser), what="the notification service knows the person")
        assert (page.tree.get("lang"), page.heading) == ("en", "Notification settings")
        assert page.texts("//select[@id='language']/option") == ["As the browser asks", "English", "Norsk bokmål"]
        chosen = await browser.send(page, "/settings/notifications", language="nb")
        assert (chosen.tree.get("lang"), chosen.notice) == ("nb", "Varslingsinnstillingene dine er lagret.")
        assert chosen.tree.xpath("//select[@id='language']/option[@selected]/@value") == ["nb"]
        assert (await browser.get("/orders")).heading == "Ordrer"
        out = await browser.send(chosen, "/sign-out")
        assert (out.tree.get("lang"), out.heading) == ("en", "Sign in"), "nobody is signed in: the browser's"
    async with Browser(town.console, ENGLISH) as elsewhere:
        assert (await elsewhere.sign_in(email, PASSWORD)).heading == "Ordrer"
        page = await elsewhere.get("/settings/notifications")
        refused = await elsewhere.send(page, "/settings/notifications", language="tlh")
        assert (refused.status, refused.tree.get("lang")) == (422, "nb")
        back = await elsewhere.send(page, "/settings/notifications", language="")
        assert (back.tree.get("lang"), back.notice) == ("en", "Your notification settings are saved.")


async def test_who_is_logged_in_as_somebody_reads_on_in_their_own_language(town: Town) -> None:
    async with Browser(town.console, ENGLISH) as operator:
        await operator.sign_in(OPERATOR, PASSWORD)
        people = await operator.get("/people")
        [action] = [
            f.action
            for f, name in zip(
                [f for f in people.forms() if f.action.endswith("/log-in-as")],
                people.texts("//details/summary"),
                strict=True,
            )
            if name.endswith("Ben Boss")
        ]
        as_them = await operator.send(people, action, reason="to see what they see")
        assert (as_them.tree.get("lang"), "You are logged in as" in as_them.text()) == ("en", True)
    async with Browser(town.console, NORWEGIAN) as operator:
        await operator.sign_in(OPERATOR, PASSWORD)
        as_them = await operator.send(await operator.get("/people"), action, reason="to see what they see")
        assert (as_them.tree.get("lang"), "Du er innlogget som" in as_them.text()) == ("nb", True)


@pytest.mark.parametrize("header", ["x" * 6_000, "nb;q=" + "9" * 500, ",;=" * 500, "../../nb, \u00e6;q=\u00f8"])
async def test_a_hostile_wish_of_a_browser_is_answered_in_english(town: Town, header: str) -> None:
    async with Browser(town.console, {"accept-language": header}) as browser:
        page = await browser.get("/sign-in")
        assert (page.status, page.tree.get("lang"), page.heading) == (200, "en", "Sign in")
