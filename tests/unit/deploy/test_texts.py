"""Catalogues of translations: as the texts are, complete, and with the same places and the same markup."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from babel.messages.catalog import Message

from deploy.texts import KEYWORDS, LIFECYCLE, PACKAGES, Package, extracted, labels, merged, missing, read

CATALOGUES = [pytest.param(p, path, id=f"{p.name}-{path.parts[-3]}") for p in PACKAGES for path in p.catalogues()]
PLACE = re.compile(r"%\((\w+)\)s|\{(\w+)\}")
MARKUP = re.compile(r"<[^>]*>")


def _forms(message: Message) -> list[tuple[str, str]]:
    """Each form of a translation with the form of the source that has everything in it."""
    if isinstance(message.id, str):
        return [(message.id, str(message.string))]
    assert isinstance(message.string, tuple | list)
    return [(str(message.id[-1]), form) for form in message.string]


@pytest.mark.parametrize(("package", "path"), CATALOGUES)
def test_a_catalogue_is_what_the_texts_are(package: Package, path: Path) -> None:
    assert path.read_bytes() == merged(package, path), "make texts writes it anew"
    assert list(missing(read(path))) == [], "without a translation"


@pytest.mark.parametrize(("package", "path"), CATALOGUES)
def test_translations_have_the_places_and_the_markup_of_their_texts(package: Package, path: Path) -> None:
    checked = 0
    for message in read(path):
        for source, translated in _forms(message) if message.id else ():
            assert set(PLACE.findall(translated)) == set(PLACE.findall(source)), source
            # outside places, a per cent sign is written twice, and only where the source has some
            assert PLACE.sub("", translated).count("%") == PLACE.sub("", source).count("%"), source
            assert sorted(MARKUP.findall(translated)) == sorted(MARKUP.findall(source)), source
            # attributes of pages are made of them as they stand
            plain = MARKUP.sub("", translated)
            assert not set('"<>&') & set(plain) - set(MARKUP.sub("", source)), source
            assert (translated[:1] == " ", translated[-1:] == " ") == (source[:1] == " ", source[-1:] == " "), source
            checked += 1
    assert checked > 140


def test_labels_of_lifecycles_are_translated_alike_wherever_they_are() -> None:
    found = [
        {m.id: m.string for m in read(path) if m.context == LIFECYCLE}
        for p in PACKAGES if p.lifecycles for path in p.catalogues()
    ]  # fmt: skip
    assert len(found) == 3
    assert found[0] == found[1] == found[2]
    assert set(labels()) == found[0].keys()


def test_texts_are_found_in_code_in_templates_and_in_lifecycles() -> None:
    found = {p.name: extracted(p) for p in PACKAGES}
    console = found["services.console"]
    assert console.get("Enter a number.") is not None, "a Python text"
    assert console.get("Skip to content") is not None, "a template's"
    assert console.get("%(count)s attempt") is not None, "one with plural forms"
    assert {"Pending", "Accept", "Confirm pickup"} <= set(labels())
    assert console.get("Confirm pickup", "lifecycle") is not None, "a lifecycle's label"
    assert found["services.order"].get("Times are those of %(zone)s.") is not None, "a template beside its code"
    notification = found["services.notification"]
    assert len(notification) > 150
    assert notification.get("Your order %(number)s has been placed") is not None


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: p.name)
def test_no_text_is_marked_where_it_is_not_found(package: Package) -> None:
    """Within an f-string Python 3.11 hides a text from what looks for marks, and it gets into no catalogue."""
    hidden = [
        f"{path.name}:{call.lineno}"
        for path in sorted(package.folder.rglob("*.py"))
        for joined in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(joined, ast.JoinedStr)
        for call in ast.walk(joined)
        if isinstance(call, ast.Call) and getattr(call.func, "attr", getattr(call.func, "id", "")) in KEYWORDS
        if call.args and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str)
    ]
    assert hidden == []
