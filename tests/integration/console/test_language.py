"""The console in Norwegian: every page of it, for whom, and when it is in English again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import pytest

from deploy.texts import PACKAGES as TEXTS
from deploy.texts import read
from tests.integration.console.browser import Browser, Page
from tests.integration.console.conftest import BUYER, OPERATOR, PASSWORD, SELLER, Town
from tests.integration.console.walking import starts, unvisited, walked
from tests.waiting import until

NORWEGIAN: Final = {"accept-language": "nb-NO,nb;q=0.9,en;q=0.8"}
ENGLISH: Final = {"accept-language": "en-GB,en;q=0.9"}
PLACE: Final = re.compile(r"%\(\w+\)s")
# Of a text with places to fill, what stands around them has to be enough to know it by.
MOST_TELLING: Final = 10
SPOKEN: Final = ("aria-label", "placeholder", "title", "alt", "data-label", "data-one", "data-again", "data-show")


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


async def test_no_page_shows_an_english_text_that_has_a_translation(town: Town, filled: str) -> None:
    known, found, kinds = english(), {}, set()
    for email in (OPERATOR, SELLER, BUYER):
        async with Browser(town.console, NORWEGIAN) as browser:
            entrance = await browser.get("/sign-in")
            failed = await browser.send(entrance, "/sign-in", email=email, password="")
            await browser.sign_in(email, PASSWORD)
            pages = await walked(browser, starts(email, filled))
            for kind, page in {"/sign-in": entrance, "/sign-in?": failed, **pages}.items():
                kinds.add(page.path)
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
        assert "and e-mail is in English." in page.text()
        chosen = await browser.send(page, "/settings/notifications", language="nb", time_zone="Asia/Tokyo")
        assert "og e-post er på språket du ble lagt til med." in chosen.text(), "what follows if nothing is chosen"
        assert (chosen.tree.get("lang"), chosen.notice) == ("nb", "Varslingsinnstillingene dine er lagret.")
        assert chosen.tree.xpath("//select[@id='language']/option[@selected]/@value") == ["nb"]
        orders = await browser.get("/orders")
        assert (orders.heading, "Asia/Tokyo" in orders.text("footer")) == ("Ordrer", True)
        out = await browser.send(chosen, "/sign-out")
        assert (out.tree.get("lang"), out.heading) == ("en", "Sign in"), "nobody is signed in: the browser's"
    async with Browser(town.console, ENGLISH) as elsewhere:
        orders = await elsewhere.sign_in(email, PASSWORD)
        assert (orders.heading, "Asia/Tokyo" in orders.text("footer")) == ("Ordrer", True)
        page = await elsewhere.get("/settings/notifications")
        refused = await elsewhere.send(page, "/settings/notifications", language="tlh")
        assert (refused.status, refused.tree.get("lang")) == (422, "nb")
        given = {"language": "", "time_zone": "Europe/Amsterdam"}
        back = await elsewhere.fill(page, "/settings/notifications", given)
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
