"""What can go wrong while the machine is being set up, always as one line with its remedy."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class SetupError(Exception):
    """Something about this machine is in the way. `str()` is one line: what is wrong, then what to do."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what} -- {remedy}")
        self.what = what
        self.remedy = remedy


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn an OS refusal to write below `path` into a SetupError that names it."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise SetupError(f"the disk that holds {path} is full", "free some space and run it again") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise SetupError(
                f"cannot write to {error.filename or path} ({error.strerror})",
                "make it writable for you, or use a directory that is",
            ) from error
        raise
