"""Which kind of file this is, by its content, and how large it may be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cli.sources.model import Found, Refusal, Refused
from cli.sources.shopify import read as read_shopify
from cli.sources.table import read as read_table
from cli.sources.ubl import read as read_ubl

# Whole documents are held in memory, some ten times their size; a larger export is to be split.
MOST_BYTES: Final = 32 * 1024 * 1024
_BOMS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


def read_file(path: Path) -> Iterator[Found | Refused]:
    """The orders of a file. Raises Refusal where the file as a whole cannot be read."""
    content = _content(path)
    head = content
    for bom in _BOMS:
        head = head.removeprefix(bom)
    first = head.lstrip(b" \t\r\n\x00")[:1]
    if first == b"<":
        return iter([read_ubl(content)])
    if first in (b"{", b"["):
        return read_shopify(content)
    if not first:
        raise Refusal("the file is empty")
    if path.suffix.lower() in (".json", ".xml"):
        raise Refusal(f"the file is named {path.suffix} but does not begin like one; is it damaged or compressed?")
    return read_table(content)


def _content(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise Refusal("this is a folder; name the files in it")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as e:
        raise Refusal(f"cannot be read: {e.strerror or e}") from None
    if len(content) > MOST_BYTES:
        raise Refusal(f"larger than {MOST_BYTES // 1024 // 1024} MB; split it into smaller files")
    return content
