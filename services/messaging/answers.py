"""What somebody answered by e-mail: the text without what is quoted, and the files. Pure.

Line by line and in linear time: libraries that do this by regular expressions take minutes for a hostile mail of 8 kB
(docs/decisions/0066). Ours know one thing that they do not: our mails begin with a line that says where to answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses
from typing import Any, Final

from lxml import html as markup

MOST_PARTS: Final = 100
# More of a text than this is not looked at; a message has 4,000 characters.
MOST_TEXT: Final = 200_000
MOST_LINES: Final = 5_000
_AUTOMATIC: Final = ("x-autoreply", "x-autorespond", "list-id", "x-auto-response-suppress")
_BULK: Final = frozenset({"bulk", "junk", "list", "auto_reply"})
# Quoted lines that are kept above an answer, where a mail has several.
MOST_ABOUT: Final = 3
_SIGNATURE: Final = ("--", "__")
# What mail programs put above a quoted mail; the lines of an address block follow each other.
_ORIGINAL: Final = re.compile(r"-{2,}[^-]{3,60}-{2,}|_{20,}|\*?(From|Von|De|Fra|Från|Da|Van)\*? ?:.{0,300}")
_NOT_READ: Final = (
    "//script | //style | //head | //*[contains(concat(' ', @class, ' '), ' gmail_quote ') and not(.//blockquote) "
    "and not(self::blockquote)]"
)
# Around what a page quotes, until its lines are marked.
_IN, _OUT = "\x0e", "\x0f"
_BLOCKS: Final = frozenset({"p", "div", "br", "li", "tr", "h1", "h2", "h3", "h4", "pre", "table", "ul", "ol"})


@dataclass(frozen=True, slots=True)
class Enclosed:
    """A file that came with a mail."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """A mail as far as it matters. `senders` are the addresses of its From; `message_id` is "" where it has none."""

    senders: tuple[str, ...]
    message_id: str
    automatic: bool
    text: str
    files: tuple[Enclosed, ...]


def read(raw: bytes) -> Answer:
    """Any bytes are some mail; what cannot be decoded is shown as such."""
    # compat32 never decodes a header, so a hostile one cannot make reading it fail
    mail = message_from_bytes(raw, policy=policy.compat32)
    parts = [p for p, _ in zip(mail.walk(), range(MOST_PARTS), strict=False)]
    senders = getaddresses([str(v)[:1_000] for v in mail.get_all("From", [])[:2]])
    return Answer(
        senders=tuple(address for _, address in senders if address),
        message_id=str(mail.get("Message-ID", "")).strip()[:1_000],
        automatic=_is_automatic(mail),
        text=_written(parts),
        files=tuple(_files(parts)),
    )


def _is_automatic(mail: Message) -> bool:
    """Written by a machine: absence notes, reports of delivery, lists (RFC 3834)."""
    submitted = str(mail.get("Auto-Submitted", "no")).partition(";")[0].strip().lower()
    return (
        submitted != "no"
        or str(mail.get("Precedence", "")).strip().lower() in _BULK
        or any(name in mail for name in _AUTOMATIC)
        or mail.get_content_type() == "multipart/report"
    )


def _written(parts: Sequence[Message]) -> str:
    """What is new in the first plain text; where there is none, in the first HTML."""
    bodies = [p for p in parts if not p.is_multipart() and not p.get_filename() and not _is_file(p)]
    plain = next((p for p in bodies if p.get_content_type() == "text/plain"), None)
    if plain is not None:
        return answered(_decoded(plain))
    rich = next((p for p in bodies if p.get_content_type() == "text/html"), None)
    return answered(_text_of(_decoded(rich)), sure=True) if rich is not None else ""


def _is_file(part: Message) -> bool:
    return part.get_content_disposition() == "attachment"


def _content(part: Message) -> bytes:
    found = part.get_payload(decode=True)
    return found if isinstance(found, bytes) else b""


def _decoded(part: Message) -> str:
    raw = _content(part)[: 4 * MOST_TEXT]
    try:
        text = raw.decode(part.get_content_charset() or "utf-8", "replace")
    except (LookupError, ValueError):
        text = raw.decode("utf-8", "replace")
    return text[:MOST_TEXT]


def _text_of(page: str) -> str:
    """HTML as a person reads it; the lines of what it quotes begin with `>`."""
    try:
        tree: Any = markup.document_fromstring(
            page.encode("utf-8", "replace"), parser=markup.HTMLParser(encoding="utf-8")
        )
    except Exception:
        return ""  # nothing that a browser would show either
    for unread in tree.xpath(_NOT_READ):
        if unread.getparent() is not None:
            unread.drop_tree()
    pieces: list[str] = []
    for event, element in markup.etree.iterwalk(tree, events=("start", "end")):
        block, quote = element.tag in _BLOCKS, element.tag == "blockquote"
        if event == "start":
            pieces += [f"\n{_IN}" if quote else "\n" if block else "", _spaced(element.text)]
        else:
            pieces += [f"{_OUT}\n" if quote else "\n" if block and element.tag != "br" else "", _spaced(element.tail)]
    lines = _marked("".join(pieces).split("\n"))
    return "\n".join(line for n, line in enumerate(lines) if line or (n and lines[n - 1]))


def _marked(lines: Sequence[str]) -> Sequence[str]:
    """Lines with single spaces, those of quotations with a `>` before them."""
    depth, marked = 0, []
    for line in lines:
        depth += line.count(_IN)
        text = " ".join(line.replace(_IN, "").replace(_OUT, "").split())
        marked.append(f"> {text}".rstrip() if depth else text)
        depth -= line.count(_OUT)
    return marked


def _spaced(text: str | None) -> str:
    return re.sub(rf"[\s{_IN}{_OUT}]", " ", text or "")


def answered(text: str, *, sure: bool = False) -> str:
    """What was written anew, above, between and below what is quoted; without the signature.

    What is quoted begins with the line of ours, or with what a mail program puts above it. Where each of its lines is
    marked (`>`), what is not marked below is an answer too; else it ends the mail, as nothing tells the two apart.
    `sure`: a mail program has quoted what is marked, so that what introduces it needs neither date nor address.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[:MOST_LINES]
    plain = [line.lstrip("> \t").strip() for line in lines]
    end = next((n for n, line in enumerate(plain) if line.startswith("##-") and line.endswith("-##")), None)
    ours = end is not None
    if end is None:
        end = next((n for n, line in enumerate(plain) if _ORIGINAL.fullmatch(line[:400]) and _is_head(plain, n)), None)
    quoted = ours
    if end is None:
        end = _quoted_first(lines, sure=sure)
        quoted = end is not None
    kept = lines[: len(lines) if end is None else end]
    while kept and (not kept[-1].strip() or _is_quoted(kept[-1])):
        quoted |= _is_quoted(kept.pop())
    if quoted:
        kept = _without_introduction(kept, sure=ours or sure)
    below = [] if end is None or not _is_told_apart(lines[end:], ours=ours) else _among(lines[end:])
    return "\n\n".join(block for block in (_unsigned(kept), *below) if block)


def _is_quoted(line: str) -> bool:
    return line.lstrip().startswith(">")


def _unsigned(lines: Sequence[str]) -> str:
    cut = next((n for n, line in enumerate(lines) if line.rstrip() in _SIGNATURE), len(lines))
    return "\n".join(line.rstrip() for line in lines[:cut]).strip()


def _quoted_first(lines: Sequence[str], *, sure: bool) -> int | None:
    """Where the quotation starts that a mail begins with; None where the mail begins with something else."""
    first = next((n for n, line in enumerate(lines) if _is_quoted(line)), None)
    return first if first is not None and not _without_introduction(list(lines[:first]), sure=sure) else None


def _is_told_apart(lines: Sequence[str], *, ours: bool) -> bool:
    """Whether what is quoted is marked, from its beginning or from the end of its head on. Unmarked, our own mail has
    marked lines too: those of the message that it tells of."""
    for n, line in enumerate(lines):
        if _is_quoted(line):
            return True
        if ours or (n and line.strip() and ":" not in line[:30]):
            return False
    return False


def _among(lines: Sequence[str]) -> Sequence[str]:
    """What was written below and between marked lines. Of several answers each follows what it answers to."""
    found: list[tuple[list[str], str]] = []
    about: list[str] = []
    written: list[str] = []
    begun = False
    for line in [*lines, ">"]:
        if not _is_quoted(line):
            written += [line] if begun and (written or line.strip()) else []
            continue
        begun = True
        if block := _unsigned(written):
            found.append((about, block))
            about = []
        written = []
        about = [*about[1 - MOST_ABOUT :], line.strip()] if line.strip("> \t") else []
    if len(found) < 2:
        return [block for _, block in found]
    return ["\n".join([*(x for x in about if "##-" not in x), block]) for about, block in found]


def _is_head(plain: Sequence[str], n: int) -> bool:
    """A line that begins a quoted mail: a rule, or a field of its head that another one follows."""
    if not plain[n].rstrip().endswith(("-", "_")):
        return any(":" in line[:30] for line in plain[n + 1 : n + 3])
    return True


def _without_introduction(kept: list[str], *, sure: bool) -> list[str]:
    """Without "On Monday Jane wrote:" at the end, which may be broken into three lines. `sure`: what follows is ours,
    so that it needs neither a date nor an address to be known."""
    while kept and not kept[-1].strip():
        kept.pop()
    if not kept or not kept[-1].rstrip().endswith(":"):
        return kept
    for back in range(1, min(3, len(kept)) + 1):
        lines = kept[-back:]
        if not all(line.strip() for line in lines):
            break
        alone = back == len(kept) or not kept[-back - 1].strip()
        if alone and (sure or re.search(r"[@0-9]", " ".join(lines))):
            return kept[:-back]
    return kept


def _files(parts: Sequence[Message]) -> Iterator[Enclosed]:
    """What was attached. Pictures of a page (logos of signatures) have a Content-ID and are not."""
    for part in parts:
        if part.is_multipart() or (part.get("Content-ID") and not _is_file(part)):
            continue
        if _is_file(part) or part.get_filename():
            yield Enclosed(_name(part), _content(part))


def _name(part: Message) -> str:
    try:
        return str(make_header(decode_header(str(part.get_filename() or ""))))[:300]
    except (ValueError, LookupError, UnicodeError):
        return ""
