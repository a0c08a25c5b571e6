"""Text that people wrote, made safe to show on one line: no control characters, nothing that turns text around."""

from __future__ import annotations

import re
from typing import Final

# C0 and C1 controls, the separators that end a line in some readers, and lone surrogates.
_BREAKS: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
# Marks that reorder or hide text: "exe.gpj" can be made to read as "jpg.exe" with them.
_TRICKS: Final = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]")


def plain(text: str | None, most: int = 300) -> str:
    """One line of at most `most` characters; what is cut off is shown as an ellipsis."""
    if not text:
        return ""
    line = _TRICKS.sub("", _BREAKS.sub(" ", text[: most * 4])).strip()
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"
