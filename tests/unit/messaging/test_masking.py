"""Finding and hiding contact details."""

from __future__ import annotations

import time

import pytest

from services.messaging.masking import NOTHING, SHOWN, MaskingPolicy, find, hide, preview

EVERYTHING = MaskingPolicy.of({"message_masking": "email,phone,link"}, "Europe/Oslo")


def wide(text: str) -> str:
    """The text with digits and signs as their full-width look-alikes."""
    return "".join(chr(ord(c) + 0xFEE0) if c in "0123456789@." else c for c in text)


def masked(text: str, policy: MaskingPolicy = EVERYTHING) -> str:
    return hide(text, find(text, policy.region), policy).text


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("write to bea.buyer+x@shop.example.com please", "email"),
        ("write to bea (at) example (dot) com please", "email"),
        ("write to bea[at]example.com please", "email"),
        (wide("write to bea@example.com please"), "email"),
        ("call 412 34 567 please", "phone"),
        ("call +44 20 7946 0018 please", "phone"),
        ("call 0047 412 34 567 please", "phone"),
        (wide("call 41234567 please"), "phone"),
        ("see https://example.com/a?b=c please", "link"),
        ("see www.example.com please", "link"),
        ("see example.shop please", "link"),
        ("see 203.0.113.7/x please", "link"),
    ],
)
def test_contact_details_are_hidden_and_the_rest_stays(text: str, kind: str) -> None:
    shown = masked(text)
    first, last = text.split()[0], text.split()[-1]
    assert SHOWN[kind] in shown  # type: ignore[index]
    assert shown.startswith(first)
    assert shown.endswith(last)
    assert not any(part in shown for part in ("example", "412", "7946", wide("412"), "203.0"))


@pytest.mark.parametrize(
    "text",
    [
        "Order ORD-1234: 12 pieces of 2x4, ref 3SABC123456789, 1.234,50 kr on 2026-03-02 at 12:00.",
        "I am at work. Dot the i. Please @ me never.",
        "Ratio 3:2, size 40x60x25 cm, 25 %.",
        "",
    ],
)
def test_what_is_no_contact_detail_stays(text: str) -> None:
    assert masked(text) == text


def test_only_what_the_policy_names_is_hidden() -> None:
    text = "bea@example.com 412 34 567 https://example.com"
    contacts = find(text, "NO")
    only_phone = MaskingPolicy.of({"message_masking": "phone"}, "Europe/Oslo")
    assert hide(text, contacts, only_phone).text == f"bea@example.com {SHOWN['phone']} https://example.com"
    assert hide(text, contacts, NOTHING).text == text
    assert hide(text, contacts, EVERYTHING).hidden == ("email", "link", "phone")


@pytest.mark.parametrize(
    ("settings", "zone", "region"),
    [
        ({}, "Europe/Oslo", "NO"),
        ({"phone_region": "se"}, "Europe/Oslo", "SE"),
        ({"phone_region": "XX"}, "Europe/Oslo", "NO"),
        ({}, "UTC", None),
        ({}, "Mars/Base", None),
    ],
)
def test_the_country_of_numbers_without_a_prefix(settings: dict[str, str], zone: str, region: str | None) -> None:
    assert MaskingPolicy.of(settings, zone).region == region


def test_words_that_are_unknown_hide_nothing() -> None:
    assert MaskingPolicy.of({"message_masking": "everything"}, "UTC").kinds == frozenset()
    assert MaskingPolicy.of({}, "UTC").kinds == frozenset()


def test_a_preview_is_one_masked_line_of_bounded_length() -> None:
    text = "line one\nbea@example.com\n" + "word " * 100
    shown = preview(text, find(text, None), EVERYTHING)
    assert len(shown) <= 200
    assert "\n" not in shown
    assert "bea@" not in shown
    assert shown.endswith("…")


@pytest.mark.parametrize(
    "piece", ["a@b.com ", "mailto:", "a.", "+1", "1 ", "(at)", "http://", "a (dot) ", "@", "//", "1-"]
)
def test_hostile_text_takes_bounded_time(piece: str) -> None:
    text = (piece * 4_000)[:4_000]
    began = time.process_time()
    masked(text)
    assert time.process_time() - began < 2.0


def test_overlapping_finds_hide_once_and_positions_hold_with_wide_characters() -> None:
    text = "👋 see https://412.34.567/bea@example.com now"
    shown = masked(text)
    assert shown.startswith("👋 see ")
    assert shown.endswith(" now")
    assert "bea@" not in shown
