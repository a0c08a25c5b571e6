"""What the linter refuses: each with the line that is wrong and what to do about it."""

from __future__ import annotations

import re
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.order import workflow as wf
from tests.unit.order.workflow.play import Play

SMALL = """\
name = "small"
title = "Small"
summary = "The least there can be."
initial = "waiting"

[setting.close_days]
label = "Days until it closes"
default = 5

[setting.kind]
label = "Be kind"
default = false

[state.waiting]
phase = "pending"
label = "Waiting"
capabilities = ["can_note"]

[state.packing]
phase = "preparing"
label = "Packing"

[state.done]
phase = "completed"
label = "Done"
final = true

[state.off]
phase = "canceled"
cancel_kind = "canceled"
label = "Off"
final = true

[[transition]]
name = "pack"
label = "Pack"
from = ["waiting"]
to = "packing"
who = ["seller"]
effects = ["accept_lines"]

[[transition]]
name = "finish"
label = "Finish"
from = ["packing"]
to = "done"
who = ["seller"]
params = [
  { name = "note", type = "text", max = 100 },
  { name = "images", type = "images" },
]
effects = ["add_note", "attach"]

[[transition]]
name = "stop"
label = "Stop"
from = ["waiting", "packing"]
to = "off"
who = ["buyer", "clock"]
after = { setting = "close_days" }

[[transition]]
name = "add_note"
label = "Note"
from_capability = "can_note"
who = ["buyer"]
params = [{ name = "text", type = "text", required = true }]
effects = ["add_note"]

[[deadline]]
name = "pack"
label = "Pack it"
states = ["waiting"]
due = { hours = 2 }

[[display]]
on = "order"
code = "paid_back"
label = "Paid back"
money = ["refunded"]
"""


def test_the_small_lifecycle_is_good_and_runs() -> None:
    assert wf.lint(SMALL) == []
    lifecycle = wf.load_lifecycle(SMALL, version=3)
    play = Play(lifecycle)
    play.do("seller", "pack")
    play.do("seller", "finish", note="well")
    assert play.kinds == ["order.created", "order.updated", "order.completed"]
    assert (play.order.lifecycle.name, play.order.lifecycle.version) == ("small", 3)


@pytest.mark.parametrize("name", wf.BUILTIN)
def test_the_built_in_ones_are_good(name: str) -> None:
    assert wf.lint(wf.builtin_text(name)) == []
    assert wf.builtin(name).name == name


def test_a_right_of_whoever_placed_the_order_is_not_the_whole_organisations() -> None:
    play = Play(wf.load_lifecycle(SMALL.replace('"buyer", "clock"', '{ role = "buyer", placer = true }, "clock"')))
    assert isinstance(play.refused("buyer_admin", "stop"), wf.NotAllowed)
    play.do("placer", "stop")
    assert play.status == "off"


def test_versions_are_told_apart_by_content() -> None:
    one = wf.load_lifecycle(SMALL)
    assert wf.load_lifecycle(SMALL.replace("\n", "\r\n")).digest == one.digest
    assert wf.load_lifecycle(SMALL.replace("Pack it", "Pack")).digest != one.digest


def test_what_the_clock_does_without_leaving_the_state_comes_again_after_the_same_time() -> None:
    """Else the clock would do it at every look, and never come to anything else that is due."""
    text = SMALL.replace('"buyer", "clock"', '"buyer"').replace('after = { setting = "close_days" }\n', "")
    text = text.replace("default = 5", "default = 5\nmin = 1").replace("[setting.close_days]", "[setting.every_days]")
    text += """
[[transition]]
name = "remind"
label = "Reminder"
from = ["waiting"]
who = ["clock"]
after = { hours = 1 }
tell = ["seller"]
"""
    play = Play(wf.load_lifecycle(text))
    play.wait(minutes=59)
    assert [e.change.action for e in play.events] == ["place"]
    play.wait(minutes=90)
    assert [e.change.action for e in play.events] == ["place", "remind", "pack_overdue"]
    assert (play.told(), play.events[1].audience) == (("buyer", "seller", "operator"), ("seller",))
    assert play.timer == play.now + timedelta(hours=1)
    assert play.wait(minutes=59) is None
    play.wait(days=30)
    assert [e.change.action for e in play.events[3:]] == ["remind"]
    play.do("seller", "pack")
    assert play.timer is None


def test_what_the_clock_cannot_do_holds_nothing_else_up() -> None:
    text = SMALL.replace('after = { setting = "close_days" }', 'after = { hours = 1 }\neffects = ["record_payment"]')
    text = text.replace("[setting.close_days]", "[setting.days]")
    play = Play(wf.load_lifecycle(text))
    assert play.order.paid == play.order.total, "so that nothing is outstanding"
    play.wait(hours=3)
    assert [e.change.action for e in play.events] == ["place", "pack_overdue"]
    assert play.wait(hours=3) is None


def test_a_file_that_begins_with_a_mark_of_its_encoding_is_read() -> None:
    assert wf.lint("\ufeff" + SMALL) == []


def test_what_was_taken_before_runs_on_though_it_is_refused_today() -> None:
    """An order stays on the version that it started with, whatever a release's linter finds."""
    odd = SMALL.replace("due = { hours = 2 }", "due = { hours = 2 }\ntell = []")
    with pytest.raises(wf.LifecycleError, match="tells nobody"):
        wf.load_lifecycle(odd)
    play = Play(wf.load_stored(odd, 4))
    play.do("seller", "pack")
    assert (play.status, play.order.lifecycle.version) == ("packing", 4)
    with pytest.raises(wf.LifecycleError, match="not TOML"):
        wf.load_stored("name =", 1)


CASES = tomllib.loads((Path(__file__).parent / "refused.toml").read_text())["case"]


@pytest.mark.parametrize("case", [c for c in CASES if "old" in c], ids=lambda c: c["message"])
def test_refused_with_line_and_remedy(case: dict[str, str]) -> None:
    assert case["old"] in SMALL
    text = SMALL.replace(case["old"], case["new"], 1)
    findings = wf.lint(text)
    fitting = [f for f in findings if case["message"] in f.message]
    assert fitting, [str(f) for f in findings]
    assert case["at"] in text.splitlines()[fitting[0].line - 1], str(fitting[0])
    assert case["remedy"] in fitting[0].remedy, fitting[0].remedy
    with pytest.raises(wf.LifecycleError):
        wf.load_lifecycle(text)


@pytest.mark.parametrize("case", [c for c in CASES if "old" not in c], ids=lambda c: c["message"])
def test_what_is_added_is_refused_where_it_stands(case: dict[str, str]) -> None:
    finding = next(f for f in wf.lint(f"{SMALL}\n{case['new']}\n") if case["message"] in f.message)
    assert finding.line > len(SMALL.splitlines())
    assert finding.remedy


def test_one_reading_tells_everything_that_is_wrong() -> None:
    text = (
        SMALL.replace('"accept_lines"', '"acept"')
        .replace('to = "done"', 'to = "dne"')
        .replace('"close_days" }', '"days" }')
    )
    assert len({f.line for f in wf.lint(text)}) >= 3


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\x00",
        "a = 1",
        "name = 5",
        "state = 3\ntransition = 'x'",
        "[state]\n[[transition]]",
        "[[state]]\nname = 'x'",
        "x = " + "[" * 5000 + "]" * 5000,
        "x" * 300_000,
        SMALL + 'extra = """\nnever closed',
        SMALL.replace('["seller"]', '[["seller"]]'),
        SMALL.replace('["seller"]', "[1, true, {}]"),
        SMALL.replace('"accept_lines"', '{ rest = "open" }'),
        SMALL.replace("hours = 2", "hours = 99999999999999999999999999999"),
        SMALL.replace("hours = 2", "hours = nan"),
    ],
)
def test_files_that_are_none_get_a_clear_answer(text: str) -> None:
    findings = wf.lint(text)
    assert findings
    assert all(1 <= f.line <= max(len(text.splitlines()), 1) for f in findings)
    assert all(len(str(f)) < 700 for f in findings)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_mangled_file_is_read_or_refused_and_never_breaks_the_reader(data: st.DataObject) -> None:
    lines = wf.builtin_text(data.draw(st.sampled_from(wf.BUILTIN))).splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        lines[at] = data.draw(
            st.sampled_from(["", lines[at][: len(lines[at]) // 2], lines[at] + lines[at - 1], lines[at - 2], "x = 1"])
        )
    text = "\n".join(lines)
    findings = wf.lint(text)
    assert all(f.remedy and 1 <= f.line <= len(lines) for f in findings)
    if not findings:
        assert wf.load_lifecycle(text).states.keys() <= tomllib.loads(text)["state"].keys()


def test_lines_are_found_in_files_laid_out_otherwise() -> None:
    """Dotted keys, inline tables over several items, comments and strings with brackets in them."""
    text = SMALL.replace('label = "Packing"', "label = 'Pack [# it]' # with { a comment")
    text = text.replace(
        '  { name = "images", type = "images" },', '  # [[transition]]\n  { name = "imags", type = "images" },'
    )
    finding = next(f for f in wf.lint(text) if "imags" in f.message)
    assert "imags" in text.splitlines()[finding.line - 1]


@pytest.mark.parametrize(
    ("given_settings", "problem"),
    [
        ({"ship_within_days": "3"}, None),
        ({"ship_within_days": "soon"}, "whole number from 1 to 365"),
        ({"ship_within_days": "0"}, "whole number from 1 to 365"),
        ({"ship_within_days": "\u0663"}, "whole number"),
        ({"colour_of_the_shop": "blue"}, None),
    ],
)
def test_settings_are_checked_where_they_are_stored(given_settings: dict[str, str], problem: str | None) -> None:
    found = wf.setting_problems(wf.builtin("storefront"), given_settings)
    assert bool(found) == (problem is not None)
    if problem:
        assert re.search(problem, found[0])


def test_a_setting_that_cannot_be_read_leaves_the_default_in_force() -> None:
    plain, odd = Play("storefront"), Play("storefront", facts=wf.Facts(settings={"ship_within_days": "x"}))
    assert odd.order.deadlines[1].due_at == plain.order.deadlines[1].due_at
