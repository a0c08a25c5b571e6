"""Which files of a folder are looked at, which kind of file this is, by its content, and how large it may be."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Final

from services.console.sources.model import Found, Refusal, Refused
from services.console.sources.shopify import read as read_shopify
from services.console.sources.table import read as read_table
from services.console.sources.ubl import read as read_ubl

MEGABYTE: Final = 1024 * 1024
MOST_BYTES: Final = 256 * MEGABYTE
STDIN: Final = Path("-")
# what is looked at in a folder; a file that is named is read whatever its name
_NAMES: Final = (".json", ".jsonl", ".ndjson", ".xml", ".csv", ".tsv")
MOST_FILES: Final = 10_000
_BOMS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_ARCHIVES: Final = {b"PK": "a zip archive (or XLSX)", b"\x1f\x8b": "compressed (gzip)", b"%P": "a PDF"}


def files_of(path: Path) -> Sequence[Path]:
    """The file itself, or the files of orders in a folder and its folders, by name. Raises Refusal for a folder
    without any, or with too many."""
    if not path.is_dir():
        return [path]
    try:
        found = sorted(f for f in path.rglob("*") if f.suffix.lower() in _NAMES and not f.is_dir())
    except OSError as e:
        raise Refusal(f"cannot be read: {e.strerror or e}") from None
    if not found:
        raise Refusal(f"no file in this folder is named {', '.join(_NAMES)}")
    if len(found) > MOST_FILES:
        raise Refusal(f"{len(found)} files are in this folder; {MOST_FILES} at most can be imported at once")
    return found


def read_file(path: Path) -> Iterator[Found | Refused]:
    """The orders of a file, `-` being standard input. Raises Refusal where the file as a whole cannot be read."""
    return read_content(_content(path), path.name)


def read_content(content: bytes, name: str) -> Iterator[Found | Refused]:
    """The orders of a file's content. Raises Refusal where it as a whole cannot be read."""
    head = content[:256]
    for bom in _BOMS:
        head = head.removeprefix(bom)
    first = (head.lstrip(b" \t\r\n\x00") or content.lstrip(b" \t\r\n\x00")[:1])[:1]
    if first == b"<":
        return iter([read_ubl(content)])
    if first in (b"{", b"["):
        return read_shopify(content)
    if not first:
        raise Refusal("the file is empty")
    if kind := _ARCHIVES.get(content[:2]):
        raise Refusal(f"this is {kind}; unpack it, or save it as JSON, XML or CSV")
    suffix = Path(name).suffix
    if suffix.lower() in (".json", ".jsonl", ".ndjson", ".xml"):
        raise Refusal(f"the file is named {suffix} but does not begin like one; is it damaged or compressed?")
    return read_table(content)


def _content(path: Path) -> bytes:
    try:
        if path == STDIN:
            content = _bounded(sys.stdin.buffer)
        elif path.exists() and not path.is_file():
            raise Refusal("this is a folder" if path.is_dir() else "this is no file")
        else:
            with path.open("rb") as file:
                content = _bounded(file)
    except OSError as e:
        raise Refusal(f"cannot be read: {e.strerror or e}") from None
    if len(content) > MOST_BYTES:
        raise Refusal(f"larger than {MOST_BYTES // MEGABYTE} MB; split it into smaller files")
    return content


def _bounded(file: IO[bytes]) -> bytes:
    return file.read(MOST_BYTES + 1)
