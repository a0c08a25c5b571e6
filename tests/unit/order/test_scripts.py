"""Writing on paper: a font for each script, Arabic letters joined, lines turned the way they are drawn."""

from __future__ import annotations

import pytest

from services.order.papers.scripts import drawn, markup

HEBREW = "\u05d0\u05d1\u05d2"


@pytest.mark.parametrize(
    ("text", "fonts"),
    [
        ("Zoë Żółć Ωμέγα Привет", []),
        ("東京 カタカナ", ["HeiseiKakuGo-W5"] * 2),
        ("李小龙", ["STSong-Light"]),
        ("\u9ad4\u570b", ["HeiseiKakuGo-W5"]),
        ("김철수", ["HYSMyeongJo-Medium"]),
        ("สวัสดี", ["FiraGO"]),
        ("ქართული", ["FiraGO"]),
        (HEBREW, ["FiraGO"]),
    ],
)
def test_every_script_has_a_font(text: str, fonts: list[str]) -> None:
    made = markup(text, 10, 500)
    assert "?" not in made
    assert made.count("<font name=") == len(fonts)
    assert all(f'"{name}"' in made for name in fonts)


def test_what_no_font_has_is_one_question_mark_and_nothing_is_markup() -> None:
    assert markup("a\tb\nc", 10, 500) == "a b c"
    assert markup("\U0001f469\u200d\U0001f680\U0001f680 <b>&\x1b", 10, 500) == "? &lt;b&gt;&amp;"


def test_arabic_letters_are_joined() -> None:
    # beh alone, at the beginning, in the middle, at the end; after alef nothing joins; lam with alef is one shape
    assert drawn_of("\u0628") == "\u0628"
    assert drawn_of("\u0628\u0628\u0628") == "\ufe90\ufe92\ufe91"
    assert drawn_of("\u0627\u0628") == "\u0628\u0627"
    assert drawn_of("\u0644\u0627") == "\ufefb"
    assert drawn_of("\u0628\u064e\u0628") == "\ufe90\ufe91"


def drawn_of(text: str) -> str:
    return markup(text, 10, 500).removeprefix('<font name="FiraGO">').removesuffix("</font>")


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("abc 12 (d)", "abc 12 (d)"),
        (HEBREW, HEBREW[::-1]),
        (f"{HEBREW} 12", f"12 {HEBREW[::-1]}"),
        (f"{HEBREW} 12 {HEBREW} (3)", f"(3) {HEBREW[::-1]} 12 {HEBREW[::-1]}"),
        (f"ab {HEBREW} {HEBREW} cd", f"ab {HEBREW[::-1]} {HEBREW[::-1]} cd"),
        (f"ab {HEBREW} 12 {HEBREW}", f"ab {HEBREW[::-1]} 12 {HEBREW[::-1]}"),
        (f"{HEBREW} ab cd {HEBREW}", f"{HEBREW[::-1]} ab cd {HEBREW[::-1]}"),
        (f"12 {HEBREW}", f"{HEBREW[::-1]} 12"),
        ("", ""),
    ],
)
def test_a_line_is_turned_the_way_it_is_drawn(text: str, seen: str) -> None:
    assert drawn(text) == seen


def test_a_long_line_breaks_before_it_is_turned() -> None:
    first, second, *_ = markup(f"{HEBREW * 3} {HEBREW[::-1] * 3}", 10, 60).split("<br/>")
    assert (HEBREW * 3)[::-1] in first
    assert (HEBREW[::-1] * 3)[::-1] in second
    assert markup(HEBREW * 20, 10, 60).count("<br/>") >= 2
    assert markup(HEBREW, 10, 1).count("<br/>") == 2
