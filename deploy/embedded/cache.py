"""The per-user cache of downloaded parts, shared by every checkout on the machine."""

from __future__ import annotations

import os
from pathlib import Path

from deploy.embedded.errors import explained


def cache_directory(*parts: str) -> Path:
    """`$ORDERTRAIL_CACHE_DIR`, else `$XDG_CACHE_HOME/ordertrail`, else `~/.cache/ordertrail`; created when missing."""
    chosen = os.environ.get("ORDERTRAIL_CACHE_DIR")
    if chosen:
        root = Path(chosen)
    else:
        xdg = os.environ.get("XDG_CACHE_HOME")
        root = (Path(xdg) if xdg else Path.home() / ".cache") / "ordertrail"
    directory = root.joinpath(*parts)
    with explained(directory):
        directory.mkdir(parents=True, exist_ok=True)
    return directory
