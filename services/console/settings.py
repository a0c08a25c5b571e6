"""Settings of the console: where the services are, what seals the cookies, and the bounds of every call and form."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from services.console.parts import ServiceName
from shared.settings import ServiceSettings

Url = Annotated[str, Field(pattern=r"^https?://[^\s<>\"'?#]+$")]


class Settings(ServiceSettings):
    """Addresses without a path's end slash; seconds; bytes."""

    http_port: int = Field(default=8000, ge=0, le=65_535)
    # the console's own address as browsers see it; with https the cookies are sent over https only
    console_url: Url = "http://127.0.0.1:8000"

    order_url: Url = "http://127.0.0.1:8001"
    notification_url: Url = "http://127.0.0.1:8002"
    messaging_url: Url = "http://127.0.0.1:8003"
    reporting_url: Url = "http://127.0.0.1:8004"
    webhook_url: Url = "http://127.0.0.1:8005"
    identity_url: Url = "http://127.0.0.1:8006"

    # keys that seal the cookies: id:base64 of 32 bytes, several separated by commas; the first seals, all open
    console_session_keys: SecretStr = SecretStr("")
    # whether the sign-in page lists the people of the demo; never in production
    console_demo_hint: bool = True

    connect_seconds: float = Field(default=2.0, gt=0, le=30)
    call_seconds: float = Field(default=10.0, gt=0, le=60)
    # the numbers beside the menu are left out where they take longer
    counts_seconds: float = Field(default=1.5, gt=0, le=10)
    export_seconds: float = Field(default=600.0, gt=0, le=3_600)
    answer_bytes: int = Field(default=4_000_000, ge=10_000, le=50_000_000)
    form_bytes: int = Field(default=200_000, ge=10_000, le=2_000_000)
    # a form with files: an action takes three images and an invoice of 5 MB each, a message 20 MB in all
    upload_bytes: int = Field(default=21_000_000, ge=100_000, le=100_000_000)
    # such forms are held in memory while their files are handed on, so not many at once
    uploads_at_once: int = Field(default=4, ge=1, le=100)
    form_seconds: float = Field(default=60.0, gt=0, le=600)
    calls_at_once: int = Field(default=200, ge=1, le=2_000)

    @field_validator("console_url")
    @classmethod
    def _without_a_path(cls, url: str) -> str:
        if urlsplit(url).path.strip("/"):
            raise ValueError("ORDERTRAIL_CONSOLE_URL has a path, and the console needs a host of its own: leave it out")
        return url

    @property
    def secure_cookies(self) -> bool:
        return self.console_url.startswith("https://")

    @property
    def origin(self) -> str:
        """The console's own address as browsers write it in `Origin`: without a port that goes without saying."""
        parts = urlsplit(self.console_url.lower())
        usual = {"http": ":80", "https": ":443"}[parts.scheme]
        return f"{parts.scheme}://{parts.netloc.removesuffix(usual)}"

    @property
    def shows_demo_hint(self) -> bool:
        return self.console_demo_hint and self.environment == "development"

    def url_of(self, service: ServiceName) -> str:
        url: str = getattr(self, f"{service}_url")
        return url.rstrip("/")
