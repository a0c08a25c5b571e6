"""The console's own address: which it may be, and which forms are believed to come from it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from starlette.requests import Request

from services.console.errors import BadForm
from services.console.posted import Posted, check_origin
from services.console.settings import Settings


def sent(origin: str, host: str) -> Request:
    headers = [(b"origin", origin.encode()), (b"host", host.encode())]
    return Request({"type": "http", "method": "POST", "path": "/sign-in", "headers": headers})


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Orders.example.com", "https://orders.example.com"),
        ("https://orders.example.com:443/", "https://orders.example.com"),
        ("https://orders.example.com:8443", "https://orders.example.com:8443"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
    ],
)
def test_behind_a_proxy_that_names_us_otherwise_forms_are_taken(url: str, origin: str) -> None:
    settings, form = Settings(console_url=url), Posted({"csrf": ["t"]})
    check_origin(sent(origin, "127.0.0.1:8000"), form, "t", settings.origin)
    check_origin(sent("http://127.0.0.1:8000", "127.0.0.1:8000"), form, "t", settings.origin)
    for foreign in ("https://evil.example", f"{origin}.evil.example", "https://orders.example.com:1"):
        with pytest.raises(BadForm):
            check_origin(sent(foreign, "127.0.0.1:8000"), form, "t", settings.origin)


def test_an_address_below_another_sites_path_is_refused() -> None:
    with pytest.raises(ValidationError, match="ORDERTRAIL_CONSOLE_URL has a path"):
        Settings(console_url="https://example.com/orders")
