"""Settings of the HTTP side of every service: sizes, times and rates (ORDERTRAIL_HTTP_*)."""

from __future__ import annotations

import os

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class WebSettings(BaseSettings):
    """Bounds of a request. A route may allow a larger body with `@max_body`."""

    model_config = SettingsConfigDict(
        env_prefix="ORDERTRAIL_HTTP_",
        secrets_dir=os.environ.get("ORDERTRAIL_SECRETS_DIR") or None,
        extra="ignore",
        frozen=True,
    )

    body_bytes: int = Field(default=1_000_000, ge=1_000, le=100_000_000)
    body_seconds: float = Field(default=10.0, gt=0, le=300)
    # a request line and its headers: bytes, and seconds until they must be complete
    header_bytes: int = Field(default=32_768, ge=8_192, le=1_000_000)
    header_seconds: float = Field(default=10.0, gt=0, le=300)
    # per person or API key, and per address for callers that show no valid token; each process counts for itself
    rate_per_second: float = Field(default=300.0, gt=0)
    rate_burst: int = Field(default=600, ge=1)
    anonymous_per_second: float = Field(default=20.0, gt=0)
    anonymous_burst: int = Field(default=200, ge=1)
