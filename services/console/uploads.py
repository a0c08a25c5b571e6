"""Files of a form on their way to a service: they are in memory until it has them, so only some at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from services.console.errors import BadForm
from services.console.language import N_
from services.console.visit import Visit

_uploading = 0


@contextmanager
def room(visit: Visit) -> Iterator[None]:
    """Room for the files of a form; forms without files need none. Raises BadForm where there is none left."""
    global _uploading
    if not visit.posted.files:
        yield
        return
    if _uploading >= visit.console.settings.uploads_at_once:
        raise BadForm(
            503, N_("Too many uploads at once"), N_("Others are uploading files. Wait a moment and send it again.")
        )
    _uploading += 1
    try:
        yield
    finally:
        _uploading -= 1
