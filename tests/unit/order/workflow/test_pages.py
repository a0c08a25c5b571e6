"""The pages of docs/lifecycles say what the files say: every status with its label and phase, every setting."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.order import workflow as wf

PAGES = Path(__file__).parents[4] / "docs" / "lifecycles"


@pytest.mark.parametrize("name", wf.BUILTIN)
def test_a_page_has_the_statuses_of_its_lifecycle(name: str) -> None:
    lifecycle = wf.builtin(name)
    page = (PAGES / f"{name}.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z_]+)` \| ([^|]+?) \| ([a-z_]+) \|$", page, re.MULTILINE)
    expected = [(n, s.label + (", with a red mark" if s.mark else ""), s.phase) for n, s in lifecycle.states.items()]
    assert rows == expected
    assert f"]({name}.svg)" in page
    assert f"]({name}.md)" in (PAGES / "README.md").read_text("utf-8")


@pytest.mark.parametrize("name", wf.BUILTIN)
def test_a_page_names_the_settings_and_what_was_chosen(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text("utf-8")
    for setting, said in wf.builtin(name).settings.items():
        # the same in all of them: on the common page
        where = (PAGES / "README.md").read_text("utf-8") if setting == "evidence_days" else page
        assert f"`{setting}`" in where, setting
        if not isinstance(said.default, bool):
            assert str(said.default) in where, setting
    choices = page.partition("## Where the page is silent")[2]
    assert choices.count("\n| ") >= 5
