"""Small documents from the issuer of tokens: no redirects, no proxies, bounded in size and time."""

from __future__ import annotations

from typing import Final

import aiohttp

FETCH_SECONDS: Final = 5.0


class FetchError(Exception):
    """A document could not be had; `str()` says why."""


async def fetch(url: str, most: int) -> bytes:
    """The document, cut behind `most` bytes by up to 64 kB. Raises FetchError."""
    timeout = aiohttp.ClientTimeout(total=FETCH_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                raise FetchError(f"{url} answered {answer.status}")
            raw = bytearray()
            async for part in answer.content.iter_chunked(65_536):
                raw += part
                if len(raw) > most:
                    break
    except (aiohttp.ClientError, TimeoutError, OSError) as e:
        raise FetchError(f"{url}: {type(e).__name__}") from e
    return bytes(raw)
