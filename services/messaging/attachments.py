"""What may be attached to a message, and what it is called. Pure.

Files are told apart by their first bytes. What stands in a picture or a PDF cannot be searched for contact details:
where a marketplace hides these, the other sides see names of ours, and it decides itself which kinds are taken at all.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Final, Literal

from services.messaging import errors
from services.messaging.masking import MaskingPolicy
from shared import pdf

MediaType = Literal["image/jpeg", "image/png", "image/webp", "application/pdf"]
ENDINGS: Final[Mapping[str, str]] = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "application/pdf": "pdf",
}
MOST_NAME: Final = 120
# Of one message.
MOST_FILES: Final = 5
# Of one thread, and of one person's uploads that are not posted yet.
MOST_OF_THREAD: Final = 200
MOST_WAITING: Final = 20
# An upload that nobody posts is forgotten after this many hours.
WAITING_HOURS: Final = 24
# Marketplace setting: "image,pdf" (the default), one of them, or "none".
ALLOWED_SETTING: Final = "message_attachments"
KINDS: Final = ("image", "pdf")

# ISO media brands of phones' photos, which browsers do not show.
_PHONE_BRANDS: Final = frozenset({b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"avif"})
_UNSAFE: Final = frozenset('/\\"<>|:*?')
_ENDING: Final = re.compile(r"\.[A-Za-z0-9]{1,5}\Z")


def allowed(settings: Mapping[str, str]) -> frozenset[str]:
    """The kinds that a marketplace takes. Words that it does not know allow nothing."""
    words = {word.strip().lower() for word in settings.get(ALLOWED_SETTING, ",".join(KINDS)).split(",")}
    return frozenset(k for k in KINDS if k in words)


def media_type_of(content: bytes) -> MediaType:
    """Raises Problem for a file that is empty or of no type that is taken."""
    if not content:
        raise errors.empty_file()
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if content.startswith(b"%PDF-"):
        return "application/pdf"
    raise errors.unsupported_file(phone=content[4:8] == b"ftyp" and content[8:12] in _PHONE_BRANDS)


def check(content: bytes, kinds: frozenset[str], most: int) -> MediaType:
    """The media type of a file that is taken. Raises Problem, with what to do, for one that is not."""
    media_type = media_type_of(content)
    if len(content) > most:
        raise errors.attachment_too_large(len(content), most)
    if ("pdf" if media_type == "application/pdf" else "image") not in kinds:
        raise errors.attachment_not_allowed(kinds)
    if media_type == "application/pdf" and (fault := pdf.fault_of(content)) is not None:
        raise errors.unreadable_file(fault)
    return media_type


def file_name(given: str | None, media_type: MediaType) -> str:
    """A name without folders and characters that deceive or break, with the ending of what the file is."""
    last = unicodedata.normalize("NFC", (given or "").replace("\\", "/")).rsplit("/", 1)[-1]
    plain = "".join("_" if c in _UNSAFE or unicodedata.category(c)[0] == "C" else c for c in last)
    stem = " ".join(_ENDING.sub("", plain).split()).strip(" .")
    ending = ENDINGS[media_type]
    return f"{stem[: MOST_NAME - len(ending) - 1].rstrip(' .') or _own(media_type)}.{ending}"


def shown_name(name: str, media_type: str, position: int, policy: MaskingPolicy, *, original: bool) -> str:
    """The name as a reader sees it: of our making where contact details are hidden from that reader.

    A name may hold a number or an address in more ways than can be found, and says little; so none is let through.
    """
    return name if original or not policy.kinds else f"{_own(media_type)}-{position}.{ENDINGS[media_type]}"


def _own(media_type: str) -> str:
    return "document" if media_type == "application/pdf" else "image"
