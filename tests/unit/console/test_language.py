"""Which language a page is in, and that it is the reader's throughout: texts, labels, dates, numbers and money."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest

from contracts import identity
from contracts import order as orders
from contracts.catalog import catalogue
from contracts.money import Money
from deploy.texts import PACKAGES, extracted
from services.console.codes import REFUSALS, WORDS, refusal
from services.console.errors import Refused
from services.console.forms.building import quantity
from services.console.language import Texts, count, label, language, language_of, locale, speaking, tr
from services.console.outside import Ways
from services.console.pages.orders import SORTS
from services.console.rendering import PHASES, Renderer, day, duration, money, number, share, sides, words
from services.console.sentences import sentence
from services.console.tokens import chosen_language
from shared.languages import accepted, known

CONSOLE = "services.console"
ROOT = Path(str(files(CONSOLE)))
# Names, units and words of HTML, the same in every language.
NAMES = {"Ordertrail", "Webhook", "webhook-id", "CO₂e", "kg", "ms", "required"}


@pytest.fixture
def norwegian() -> Iterator[None]:
    with speaking("nb"):
        yield


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("nb", "nb"),
        ("nb-NO,nb;q=0.9,en;q=0.8", "nb"),
        ("no", "nb"),
        ("en-US,en;q=0.9,nb;q=0.8", "en"),
        ("nn-NO, nb;q=0.8, en;q=0.5", "nb"),
        ("de, fr;q=0.5", None),
        ("de, en;q=0.1, nb;q=0.2", "nb"),
        ("nb;q=0, en;q=0.1", "en"),
        ("NB-no ; Q=0.7", "nb"),
        ("*", None),
        ("", None),
    ],
)
def test_a_browser_says_which_language_it_likes_best(header: str, wanted: str | None) -> None:
    assert accepted(header, CONSOLE) == wanted


@pytest.mark.parametrize(
    "header",
    [
        "," * 100_000,
        "nb;q=" + "9" * 5_000,
        "nb;q=nan, nb;q=inf, nb;q=1e9, nb;q=-1, nb;q=\u0661, nb;q=0x1, nb;q=",
        "../../../etc/passwd, ..%2f, nb/../en;q=x",
        "\x00\udcff\u202enb\n",
        ";;;===,;q,q=1;nb;q=?",
        "x" * 1_000_000,
    ],
)
def test_a_hostile_wish_is_none(header: str) -> None:
    assert accepted(header, CONSOLE) is None
    assert language_of("", header) == "en"


def test_what_a_person_has_chosen_goes_before_the_browser() -> None:
    assert language_of("en", "nb") == "en"
    assert language_of("nb", "en-GB,en") == "nb"
    assert language_of("", "nb") == "nb"
    assert language_of("", "de") == "en"
    assert language_of("tlh", "nb") == "nb", "one that is not there any more is none"
    assert known("nb_NO", CONSOLE) == "nb"


@pytest.mark.parametrize(
    ("wishes", "chosen"),
    [
        ({"language": "nb", "language_chosen": True}, "nb"),
        ({"language": "en", "language_chosen": True}, "en"),
        ({"language": "en", "language_chosen": False}, ""),
        ({"language": "nb", "language_chosen": False}, "nb"),
        ({}, ""),
    ],
)
def test_a_record_says_english_where_nobody_chose(wishes: dict[str, Any], chosen: str) -> None:
    assert chosen_language(wishes) == chosen


def test_pages_are_in_the_language_of_their_request_and_no_template_keeps_it() -> None:
    renderer = Renderer()
    values: dict[str, Any] = {
        "me": None, "own": None, "csrf": "c", "notice": None, "counts": None, "zone": ZoneInfo("UTC"), "path": "/",
        "here": "/", "next": "/orders", "email": "", "problem": "", "demo": [],
        "ways": Ways(True, "Contoso"), "outside": "/sign-in/outside",
    }  # fmt: skip
    english, norwegian = renderer.render("sign_in.html", values), ""
    with speaking("nb"):
        norwegian = renderer.render("sign_in.html", values)
    assert '<html lang="en">' in english
    assert '<html lang="nb">' in norwegian
    assert ">Sign in</button>" in english
    assert ">Logg inn</button>" in norwegian
    assert ("Sign in with Contoso" in english, "Logg inn med Contoso" in norwegian) == (True, True)
    assert renderer.render("sign_in.html", values) == english
    assert language() == "en"


@pytest.mark.usefixtures("norwegian")
def test_dates_numbers_and_money_are_written_as_the_reader_writes_them() -> None:
    assert day(date(2026, 10, 1)) == "1. okt. 2026"
    assert day(datetime(2026, 5, 17, tzinfo=UTC)) == "17. mai 2026"
    assert number("1234.5") == "1\u00a0234,5"
    assert money(Money(amount="1234.50", currency="NOK")).replace("\u00a0", " ") == "1 234,50 kr"
    assert share("0.125") == "12,5 %"
    assert quantity(Decimal("2.000"), "KGM") == "2 kg"
    assert quantity(Decimal("2.5"), "KGM") == "2,5 kg"
    assert duration(93_780) == "1 d 2 t"
    assert str(locale()) == "nb"


def test_english_is_as_it_was() -> None:
    assert day(date(2026, 10, 1)) == "1 Oct 2026"
    assert share("0.125") == "12.5 %"
    assert quantity(Decimal("1000"), "C62") == "1000"
    assert duration(93_780) == "1 d 2 h"
    assert count("%(count)s order", "%(count)s orders", 1_000) == "1,000 orders"


@pytest.mark.usefixtures("norwegian")
def test_plural_forms_stand_with_their_numbers() -> None:
    unread = ("%(count)s unread", "%(count)s unread")
    assert [count(*unread, n) for n in (0, 1, 2, 1_001)] == ["0 uleste", "1 ulest", "2 uleste", "1\u00a0001 uleste"]
    piece = ("%(count)s piece, %(free)s free.", "%(count)s pieces, %(free)s free.")
    assert count(*piece, 1, free="1") == "1 enhet, 1 ledig."
    assert count(*piece, 3, free="2") == "3 enheter, 2 ledige."


@pytest.mark.usefixtures("norwegian")
def test_labels_of_built_in_lifecycles_are_translated_and_own_ones_stay() -> None:
    assert label("Confirm pickup") == "Bekreft henting"
    assert label("Ship the order: overdue") == "Send ordren: over fristen"
    assert label("Close, by itself") == "Lukk, av seg selv"
    assert label("Kontrollert av Kari") == "Kontrollert av Kari"
    assert label("Inbox") == "Inbox", "a word of the menu is no label"
    assert label("100 % <b>sure</b> %(x)s") == "100 % <b>sure</b> %(x)s"
    assert label("") == ""


@pytest.mark.usefixtures("norwegian")
def test_tables_of_texts_are_read_in_the_language_of_the_reader() -> None:
    assert PHASES["in_transit"] == "På vei"
    assert dict(SORTS)["-placed_at"] == "Nyeste først"
    assert Texts({"a": "Nowhere marked"}).get("a") == "Nowhere marked"
    assert sides(["buyer", "operator"]) == "kjøper, operatør"
    assert tr("") == ""


# What a person reads of these calls is their text, so it has to be one that is translated.
SAYING = {"say", "Wrong", "BadForm", "_mark", "_back"}


def test_no_text_of_a_page_is_left_unmarked_in_python() -> None:
    unmarked = []
    for path in sorted(ROOT.rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(call.func, "id", getattr(call.func, "attr", "")) if isinstance(call, ast.Call) else ""
            for given in call.args if isinstance(call, ast.Call) and name in SAYING else ():
                plain = given.value if isinstance(given, ast.Constant) else None
                if isinstance(given, ast.JoinedStr) or (isinstance(plain, str) and " " in plain):
                    unmarked.append(f"{path.name}:{given.lineno}")
    assert unmarked == []


def test_no_text_of_a_page_is_left_unmarked_in_templates() -> None:
    unmarked = []
    for path in sorted(ROOT.glob("templates/*.html")):
        # comments, what templates work out, and tags; what is left stands on the page
        text = re.sub(r"\{#.*?#\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "\0", text, flags=re.DOTALL)
        attributes = re.findall(r'(?:aria-label|placeholder|title|alt|data-label)="([^"\0]*[A-Za-z][^"]*)"', text)
        for left in [*attributes, *re.split(r"<[^>]*>|\0|\n", text)]:
            # attributes that macros write stand outside of tags
            plain = left.strip(" ·.:,()")
            if re.search(r"[A-Za-z]{2}", plain) and '"' not in plain and plain[0] != "-" and plain not in NAMES:
                unmarked.append(f"{path.name}: {plain}")
    assert unmarked == []


def test_every_code_that_people_meet_has_words_to_translate() -> None:
    package = next(p for p in PACKAGES if p.name == CONSOLE)
    texts = {m.id for m in extracted(package) if isinstance(m.id, str) and not m.context}
    literals = (
        orders.Phase, orders.MoneyState, orders.IssueState, orders.IssueKind, orders.Side, orders.DeliveryMode,
        identity.Role,
    )  # fmt: skip
    codes = {str(code) for literal in literals for code in get_args(literal)} - {"approval", "preparing", "in_transit"}
    codes |= {name for name, _ in catalogue()} | set(WORDS)
    assert {code: words(code) for code in codes if words(code) not in texts} == {}


@pytest.mark.usefixtures("norwegian")
def test_refusals_that_people_meet_often_are_translated_by_their_code() -> None:
    refused = Refused("identity", 409, "email_taken", "Conflict with the current state", "Somebody has it.")
    assert refused.detail.startswith("Noen har denne e-postadressen allerede.")
    assert refused.title == "I strid med tilstanden nå"
    assert refusal("of_another_code", "As it comes.") == "As it comes."


def test_in_english_refusals_are_in_the_words_of_the_services() -> None:
    for code in REFUSALS:
        assert refusal(code, "As it comes.") == "As it comes."


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("only 2 of MUG can be sent again", "bare 2 av MUG kan sendes på nytt"),
        ("only 2 of MUG can be sent", "bare 2 av MUG kan sendes"),
        ("Not enough stock of A % of B. Order less, or try again later.",
         "Det er ikke nok på lager av A % of B. Bestill færre, eller prøv igjen senere."),
        ("must be more than zero", "må være mer enn null"),
        ("something nobody has translated", "something nobody has translated"),
        ("", ""),
    ],
)  # fmt: skip
def test_sentences_of_the_services_are_known_with_their_values(said: str, shown: str) -> None:
    with speaking("nb"):
        assert sentence(said) == shown
    assert sentence(said) == said
