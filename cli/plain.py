"""Lines for people: what others wrote is shown as it is, never obeyed by the terminal."""

from __future__ import annotations


def plain(text: object) -> str:
    """One line without control characters, so that no text can move the cursor or look like another line."""
    return "".join(c if c.isprintable() else "\ufffd" for c in " ".join(str(text).split()))
