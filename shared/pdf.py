"""Whether a file that begins like a PDF is one that people can be given. Pure, and bounded in time and memory.

Looked at are its two ends, and the names that make a viewer run something, as they stand or packed into object streams.
Nothing is drawn and no structure is followed: what parses foreign PDFs can be made to run for hours. It is no virus
scanner. What is encrypted cannot be looked into and is refused (docs/decisions/0027).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Final

# Readers look for the end in the last kilobyte; some writers add to it.
TAIL: Final = 4_096
# Of what object streams unpack to, in all: a hundred times what an invoice's take.
MOST_UNPACKED: Final = 32 * 1024 * 1024
# An object stream has some hundred objects; each costs an unpacker, and a piece of the file at a time.
MOST_PACKED: Final = 10_000
_PIECE: Final = 64 * 1024
# Longer than anything that is searched for; a search of one piece lets other threads wait for some milliseconds only.
_OVERLAP: Final = 256
# From a stream's type to its first byte: the rest of its dictionary.
_DICTIONARY: Final = 2_048
_HEADER: Final = re.compile(rb"%PDF-(?:1\.[0-7]|2\.0)(?![0-9])")
_END: Final = re.compile(rb"startxref\s+([0-9]{1,10})\s+%%EOF")
_STREAM: Final = re.compile(rb"stream\r?\n")


def _named(*names: str) -> re.Pattern[bytes]:
    """PDF names, of which any letter may be written as # and its two digits."""
    spelled = ("".join(f"(?:{c}|#(?i:{ord(c):02x}))" for c in name) for name in names)
    return re.compile(rf"/(?:{'|'.join(spelled)})(?![A-Za-z0-9])".encode())


_RUNS: Final = _named("JavaScript", "Launch")
_PACKED: Final = _named("ObjStm")
_ENCRYPTED: Final = re.compile(_named("Encrypt").pattern + rb"\s{0,20}(?:[0-9]{1,10}\s{1,20}[0-9]{1,10}\s{1,20}R|<<)")


def fault_of(content: bytes) -> str | None:
    """Why a file that begins with %PDF- is not taken, as a sentence that says what to do; None where it is."""
    if not _HEADER.match(content):
        return "The PDF does not say a version from 1.0 to 2.0. Save it again and send that."
    ends = list(_END.finditer(content, max(0, len(content) - TAIL)))
    if not ends:
        return "The PDF is not complete: its end is missing. Save it again and send that."
    if int(ends[-1][1]) >= len(content):
        return "The PDF is damaged: its table of contents is not in it. Save it again and send that."
    if _has(_ENCRYPTED, content):
        return "The PDF is encrypted. Save it without a password and send that."
    try:
        runs = _has(_RUNS, content) or any(_has(_RUNS, objects) for objects in _unpacked(content))
    except (zlib.error, OverflowError):
        return "The PDF cannot be read. Save it again, or print it to a PDF, and send that."
    return "The PDF runs scripts or programs. Print it to a PDF and send that." if runs else None


def _matches(pattern: re.Pattern[bytes], content: bytes) -> Iterator[re.Match[bytes]]:
    """By pieces, so that no search holds up other threads for long."""
    for begin in range(0, len(content), _PIECE):
        for found in pattern.finditer(content, begin, begin + _PIECE + _OVERLAP):
            if found.start() >= begin + _PIECE:
                break
            yield found


def _has(pattern: re.Pattern[bytes], content: bytes) -> bool:
    return next(_matches(pattern, content), None) is not None


def _unpacked(content: bytes) -> Iterator[bytes]:
    """What stands in object streams. Raises zlib.error for what cannot be unpacked, OverflowError for too much."""
    left = MOST_UNPACKED
    for number, packed in enumerate(_matches(_PACKED, content)):
        if number >= MOST_PACKED:
            raise OverflowError
        begin = _STREAM.search(content, packed.end(), packed.end() + _DICTIONARY)
        # objects that are not packed begin with their numbers, and were looked at as they stand
        if begin is None or content[begin.end() : begin.end() + 16].lstrip()[:1].isdigit():
            continue
        objects = _inflated(content, begin.end(), left + 1)
        left -= len(objects)
        if left < 0:
            raise OverflowError
        yield objects


def _inflated(content: bytes, at: int, most: int) -> bytes:
    """What begins at a place, `most` bytes of it. By pieces: an unpacker copies all that is behind its end."""
    unpacker, found = zlib.decompressobj(), bytearray()
    while not unpacker.eof and at < len(content) and len(found) < most:
        piece = unpacker.unconsumed_tail or content[at : at + _PIECE]
        at += 0 if unpacker.unconsumed_tail else _PIECE
        found += unpacker.decompress(piece, most - len(found))
    return bytes(found)
