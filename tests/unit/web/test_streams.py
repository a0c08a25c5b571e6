"""Files that are made while they are sent: whoever does not take them holds nothing up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message

from shared.web import streams
from shared.web.streams import Download


class Browser:
    """Takes `most` messages, then none; `gone` when it closes the connection."""

    def __init__(self, most: int = 1_000) -> None:
        self.taken: list[Message] = []
        self.most = most
        self.gone = asyncio.Event()

    async def send(self, message: Message) -> None:
        if len(self.taken) >= self.most:
            await asyncio.Event().wait()
        self.taken.append(message)

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}


class Making:
    """Pieces, and whether what they take was given back."""

    def __init__(self) -> None:
        self.made = 0
        self.over = False

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        try:
            for self.made in range(1, 6):
                yield b"piece"
        finally:
            self.over = True


async def _downloaded(making: Making, browser: Browser) -> None:
    async with asyncio.timeout(10):
        await Download(making.pieces(), "text/csv", {"x": "y"})({"type": "http"}, browser.receive, browser.send)


async def test_a_file_is_sent_piece_by_piece() -> None:
    making, browser = Making(), Browser()
    await _downloaded(making, browser)
    assert b"".join(m.get("body", b"") for m in browser.taken) == b"piece" * 5
    assert (browser.taken[0]["status"], browser.taken[-1]["more_body"], making.over) == (200, False, True)
    assert b"content-length" not in dict(browser.taken[0]["headers"])


async def test_who_takes_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PIECE_SECONDS", 0.05)
    making = Making()
    with pytest.raises(ClientDisconnect):
        await _downloaded(making, Browser(most=3))
    assert (making.made, making.over) == (3, True)


async def test_who_goes_gets_nothing_made() -> None:
    making, browser = Making(), Browser(most=2)
    browser.gone.set()
    await _downloaded(making, browser)
    assert making.over
    assert making.made <= 2
