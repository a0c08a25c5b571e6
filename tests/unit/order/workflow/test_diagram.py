"""The pictures: the same for the same file, well-formed, telling every state and way also without being seen."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from services.order import workflow as wf
from services.order.papers.words import Words
from services.order.workflow.layout import HEIGHT, WIDTH, arrange
from services.order.workflow.reference import reference
from tests.unit.order.workflow.test_linter import SMALL

DOCS = Path(__file__).parents[4] / "docs" / "lifecycles"
NS = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", wf.BUILTIN)
def test_the_picture_shows_every_state_and_every_way(name: str) -> None:
    lifecycle = wf.builtin(name)
    svg = wf.draw(lifecycle)
    assert wf.draw(wf.load_lifecycle(wf.builtin_text(name))) == svg
    root = ET.fromstring(svg)
    texts = [t.text or "" for t in root.iter(f"{NS}text")]
    assert all(s.label in texts for s in lifecycle.states.values())
    moving = [t for t in lifecycle.transitions if t.to]
    assert [t for t in moving if not any(t.label in x for x in texts)] == []
    described = root.findtext(f"{NS}desc") or ""
    assert all(s.label in described for s in lifecycle.states.values())
    assert root.findtext(f"{NS}title") == f"Lifecycle {lifecycle.title}"
    assert root.get("role") == "img"
    assert {e.tag for e in root.iter()}.isdisjoint({f"{NS}script", f"{NS}image", f"{NS}use", f"{NS}foreignObject"})


@pytest.mark.parametrize("name", wf.BUILTIN)
def test_the_picture_is_in_the_readers_language(name: str) -> None:
    words, lifecycle = Words("nb", ZoneInfo("UTC")), wf.builtin(name)
    texts = [t.text or "" for t in ET.fromstring(wf.draw(lifecycle, words)).iter(f"{NS}text")]
    assert all(words.label(s.label) in texts for s in lifecycle.states.values())
    told = " ".join(texts)
    assert {"selger", "kjøper", "av seg selv"} & {x.strip(",") for t in texts for x in t.partition(": ")[2].split(", ")}
    assert not [w for w in (" seller", " buyer", "operator ", "by itself", " after ", "who placed") if w in told]


@pytest.mark.parametrize("name", wf.BUILTIN)
def test_no_two_states_lie_over_one_another(name: str) -> None:
    boxes = list(arrange(wf.builtin(name)).boxes.values())
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            assert abs(a.x - b.x) >= WIDTH or abs(a.y - b.y) >= HEIGHT


@pytest.mark.parametrize("name", wf.BUILTIN)
def test_the_pictures_in_the_docs_are_drawn_from_the_files(name: str) -> None:
    drawn = (DOCS / f"{name}.svg").read_text("utf-8")
    assert drawn == wf.draw(wf.builtin(name)), "run: python docs/lifecycles/draw.py"
    page = (DOCS / f"{name}.md").read_text("utf-8")
    assert f"]({name}.svg)" in page
    assert "Where the page is silent" in page


def test_the_reference_in_the_docs_is_of_this_code() -> None:
    assert (DOCS / "functions.md").read_text("utf-8") == reference(), "run: python docs/lifecycles/draw.py"


def test_the_example_in_the_docs_is_a_good_lifecycle() -> None:
    page = (DOCS / "your-own.md").read_text("utf-8")
    text = page.split("```toml\n")[1].split("```")[0]
    assert [str(f) for f in wf.lint(text)] == []


def test_labels_of_operators_are_escaped() -> None:
    evil = SMALL.replace('label = "Packing"', "label = '<script>alert(1)</script>&'")
    svg = wf.draw(wf.load_lifecycle(evil))
    assert "<script" not in svg
    ET.fromstring(svg)


def test_a_hundred_states_are_drawn_too() -> None:
    states = "".join(f'[state.s{n}]\nphase = "preparing"\nlabel = "S{n}"\n' for n in range(90))
    ways = "".join(
        f'[[transition]]\nname = "t{n}"\nlabel = "T{n}"\nfrom = ["s{n}"]\nto = "{f"s{n + 1}" if n < 89 else "done"}"\n'
        'who = ["seller"]\n'
        for n in range(90)
    )
    begin = '[[transition]]\nname = "go"\nlabel = "Go"\nfrom = ["waiting"]\nto = "s0"\nwho = ["seller"]\n'
    ET.fromstring(wf.draw(wf.load_lifecycle(SMALL + states + ways + begin)))


def test_a_picture_of_too_many_ways_is_bounded() -> None:
    states = "".join(f'[state.s{n}]\nphase = "preparing"\nlabel = "S{n}"\ncapabilities = ["x"]\n' for n in range(40))
    ways = "".join(
        f'[[transition]]\nname = "t{n}"\nlabel = "T{n}"\nfrom_capability = "x"\nto = "s{n}"\nwho = ["seller"]\n'
        for n in range(40)
    )
    ends = "".join(
        f'[[transition]]\nname = "x{n}"\nlabel = "X"\nfrom = ["{a}"]\nto = "{b}"\nwho = ["seller"]\n'
        for n, (a, b) in enumerate([("waiting", "s0"), ("s0", "done")])
    )
    assert len(arrange(wf.load_lifecycle(SMALL + states + ways + ends)).edges) == 400
