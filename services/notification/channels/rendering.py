"""HTML and text of a mail: MJML compiled once, Jinja2 with autoescape for HTML and without for text."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import mrml
from jinja2 import DictLoader, Environment, StrictUndefined, Template

from services.notification.channels.mail import Mail, Rendered
from services.notification.channels.words import Words


class TemplateError(Exception):
    """A template that does not compile; the text says which and why."""


def render(mail: Mail, words: Words) -> Rendered:
    """The subject and both parts. All of the mail's text is escaped for HTML here and nowhere else."""
    html, text = templates(words.language)
    direction = "rtl" if words.locale.text_direction == "rtl" else "ltr"
    values: dict[str, Any] = {"mail": mail, "lang": words.language, "dir": direction}
    return Rendered(mail.subject, html.render(values), text.render(values).strip() + "\n")


@cache
def compiled_html() -> str:
    """mail.mjml as HTML for mail programs, with its Jinja2 marks left in place. Compiled once per process (2 ms)."""
    source = files("services.notification").joinpath("templates", "mail.mjml").read_text(encoding="utf-8")
    # no fonts are fetched from anywhere: a mail loads nothing when it is opened
    output = mrml.to_html(source, render_options=mrml.RenderOptions(disable_comments=True, fonts={}))
    if output.warnings:
        found = ", ".join(f"{w.kind} at {w.start}" for w in output.warnings)
        raise TemplateError(f"mail.mjml: {found}")
    return str(output.content)


@cache
def templates(language: str) -> tuple[Template, Template]:
    """The HTML and the text template in one language."""
    text = files("services.notification").joinpath("templates", "mail.txt").read_text(encoding="utf-8")
    sources = {"mail.html": compiled_html(), "mail.txt": text}
    words = Words(language, "UTC")
    return tuple(_environment(sources, words, name).get_template(name) for name in sources)  # type: ignore[return-value]  # two templates for two sources


def _environment(sources: dict[str, str], words: Words, name: str) -> Environment:
    environment = Environment(
        loader=DictLoader(sources),
        autoescape=name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_translations(words.translations, newstyle=True)  # type: ignore[attr-defined]  # an extension adds it
    return environment
