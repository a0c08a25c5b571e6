"""Settings of the order service, beside those that every service has."""

from __future__ import annotations

from pydantic import Field

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    http_port: int = Field(default=8001, ge=0, le=65_535)
    # how often the clock looks for orders whose time has come, and how many it takes at once
    timer_seconds: float = Field(default=1.0, gt=0, le=60)
    timer_batch: int = Field(default=100, ge=1, le=1_000)
    # an image or an invoice; an order takes at most 100 of them from each side
    document_bytes: int = Field(default=5_000_000, ge=10_000, le=20_000_000)
    # the address that people open an order at: stands in packing slips and print views
    console_url: str = "http://127.0.0.1:8000"
