"""A broker's answer to a fetch, read in one go.

It names every partition that was asked for, most of them empty, and aiokafka reads it field by field: for a consumer of
some twenty partitions that took 4 % of the time from an event to its webhook. See docs/decisions/0107.
"""

from __future__ import annotations

from io import BytesIO
from struct import Struct, error
from typing import Any, Final

from aiokafka.protocol.fetch import FetchResponse_v11

# throttle time, error, session, number of topics
_HEAD: Final = Struct(">ihii")
_LENGTH: Final = Struct(">h")
_COUNT: Final = Struct(">i")
# partition, error, high watermark, last stable offset, log start offset, number of aborted transactions
_PARTITION: Final = Struct(">ihqqqi")
# preferred replica, length of the records
_RECORDS: Final = Struct(">ii")

_library = FetchResponse_v11.decode.__func__


def _decode(cls: type[Any], data: BytesIO | bytes) -> Any:
    stream = BytesIO(data) if isinstance(data, bytes) else data
    start = stream.tell()
    found = _topics(stream.getbuffer(), start)
    if found is None:
        return _library(cls, stream)
    head, topics, end = found
    stream.seek(end)
    return cls(*head[:3], topics)


def _topics(answer: memoryview, at: int) -> tuple[tuple[int, ...], list[Any], int] | None:
    """The head, the topics and where they end; None where this is for the library: what is rare, or cut off."""
    try:
        head = _HEAD.unpack_from(answer, at)
        at += _HEAD.size
        if head[3] < 0:
            return None
        topics = []
        for _ in range(head[3]):
            (length,) = _LENGTH.unpack_from(answer, at)
            if length < 0:
                return None
            at += _LENGTH.size + length
            name = str(answer[at - length : at], "utf-8")
            (count,) = _COUNT.unpack_from(answer, at)
            at += _COUNT.size
            if count < 0:
                return None
            partitions = []
            for _ in range(count):
                *state, aborted = _PARTITION.unpack_from(answer, at)
                if aborted > 0:
                    return None
                replica, size = _RECORDS.unpack_from(answer, at + _PARTITION.size)
                at += _PARTITION.size + _RECORDS.size
                records = bytes(answer[at : at + size]) if size >= 0 else None
                if records is not None and len(records) != size:
                    return None
                at += max(size, 0)
                partitions.append((*state, None if aborted == -1 else [], replica, records))
            topics.append((name, partitions))
        return head, topics, at
    except (error, UnicodeDecodeError):
        return None


def fetches_are_read_in_one_go() -> None:
    """Make it so, for every client of this process. Doing it again changes nothing."""
    FetchResponse_v11.decode = classmethod(_decode)
