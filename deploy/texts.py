"""`make texts`: finds the texts that are translated, and writes each catalogue anew with what is there and what is new.

A catalogue (`locale/<language>/LC_MESSAGES/messages.po` of a package) has its texts by the alphabet and no places in
files, so that it changes only where texts do. What has no translation yet is empty: the page or mail shows it in
English, and the tests name it. Texts that nothing uses any more are left out.
"""

from __future__ import annotations

import io
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

ROOT: Final = Path(__file__).parents[1]
# What stands before a comment for translators.
COMMENT: Final = "L10n:"
KEYWORDS: Final[Mapping[str, Any]] = {
    "_": None, "N_": None, "tr": None, "count": (1, 2), "ngettext": (1, 2), "pgettext": ((1, "c"), 2),
}  # fmt: skip
# The labels of the built-in lifecycles are shown by the console, on the order service's papers and in mails, in a
# context of their own; each of these services has its own translations of them, and a test keeps them the same.
# Two that the order service itself gives stand beside them: of the first entry of a timeline, and of a deadline.
OF_ORDERS: Final = ("Order placed", "Evidence")
PROFILES: Final = "services/order/workflow/profiles"
LIFECYCLE: Final = "lifecycle"
_TEMPLATES: Final = {"trimmed": "true", "silent": "false", "newstyle_gettext": "true"}
OPTIONS: Final = {"templates/**": _TEMPLATES, "**.html.j2": _TEMPLATES}
METHODS: Final = [("**.py", "python"), *((pattern, "jinja2.ext:babel_extract") for pattern in OPTIONS)]


@dataclass(frozen=True, slots=True)
class Package:
    """A package with texts; `title` heads its catalogues."""

    name: str
    title: str
    lifecycles: bool = False

    @property
    def folder(self) -> Path:
        return ROOT / self.name.replace(".", "/")

    def catalogues(self) -> Sequence[Path]:
        return sorted(self.folder.glob("locale/*/LC_MESSAGES/messages.po"))


PACKAGES: Final = (
    Package("services.console", "the console", lifecycles=True),
    Package("services.notification", "the notification service", lifecycles=True),
    Package("services.order", "the order service", lifecycles=True),
)


def extracted(package: Package) -> Catalog:
    """All texts of a package, without translations."""
    found = Catalog()
    for _, _, text, comments, context in extract_from_dir(
        package.folder, METHODS, options_map=OPTIONS, keywords=KEYWORDS, comment_tags=[COMMENT], strip_comment_tags=True
    ):
        found.add(text, auto_comments=[" ".join(comments)] if comments else (), context=context)
    if package.lifecycles:
        for label in labels():
            found.add(label, context=LIFECYCLE)
    return found


def labels() -> Iterator[str]:
    """Every label of the built-in lifecycles: of statuses, actions, their parameters, settings and deadlines."""
    yield from OF_ORDERS
    for path in sorted((ROOT / PROFILES).glob("*.toml")):
        yield from _labels(tomllib.loads(path.read_text(encoding="utf-8")))


def _labels(part: Any, named: str = "") -> Iterator[str]:
    if isinstance(part, Mapping):
        for name, value in part.items():
            yield from _labels(value, "label" if named == "labels" else name)
    elif isinstance(part, list):
        for value in part:
            yield from _labels(value, named)
    elif named == "label" and isinstance(part, str):
        yield part


def read(path: Path) -> Catalog:
    return read_po(io.BytesIO(path.read_bytes()), locale=path.parts[-3])


def merged(package: Package, path: Path) -> bytes:
    """The catalogue as it should stand in the file."""
    kept, made = read(path), Catalog(locale=path.parts[-3], fuzzy=False)
    for message in extracted(package):
        if message.id:
            former = kept.get(_first(message), message.context)
            made.add(
                message.id, _translated(message, former), auto_comments=message.auto_comments, context=message.context
            )
    written = io.BytesIO()
    write_po(written, made, width=0, sort_output=True, omit_header=True, no_location=True)
    return _head(package, made) + written.getvalue()


def _first(message: Message) -> str:
    return message.id if isinstance(message.id, str) else str(message.id[0])


def _translated(message: Message, former: Message | None) -> str | tuple[str, ...]:
    """What is known of a text; nothing where it has plural forms now and had none before, or the other way."""
    if former is not None and former.string and isinstance(former.id, str) == isinstance(message.id, str):
        return former.string if isinstance(former.string, str) else tuple(former.string)
    return "" if isinstance(message.id, str) else ("", "")


def _head(package: Package, made: Catalog) -> bytes:
    locale = made.locale
    assert locale is not None
    language = str(locale.get_display_name("en")).split(" (", maxsplit=1)[0]
    return (
        f"# {language} texts of {package.title}.\n"
        'msgid ""\nmsgstr ""\n'
        f'"Project-Id-Version: Ordertrail 1\\n"\n"Language: {locale}\\n"\n"Language-Team: {locale}\\n"\n'
        f'"Plural-Forms: {made.plural_forms}\\n"\n"MIME-Version: 1.0\\n"\n'
        '"Content-Type: text/plain; charset=utf-8\\n"\n"Content-Transfer-Encoding: 8bit\\n"\n\n'
    ).encode()


def missing(catalogue: Catalog) -> Iterator[str]:
    """Texts without a translation."""
    for message in catalogue:
        strings = [message.string] if isinstance(message.string, str) else message.string
        if message.id and not all(strings or [None]):
            yield _first(message)


def main(out: IO[str] = sys.stdout) -> int:
    """Returns the exit code."""
    for package in PACKAGES:
        for path in package.catalogues():
            text = merged(package, path)
            path.write_bytes(text)
            lacking = list(missing(read(path)))
            print(f"{path.relative_to(ROOT)}: {len(lacking)} of {len(read(path))} without a translation", file=out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
