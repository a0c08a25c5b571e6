"""Settings of the reporting service (ORDERTRAIL_*)."""

from __future__ import annotations

from pydantic import Field

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """How often changed time zones are looked for, and how long computing a marketplace's figures anew may take."""

    http_port: int = Field(default=8004, ge=0, le=65_535)

    reporting_zone_poll_seconds: float = Field(default=2.0, ge=0.05, le=600)
    reporting_compute_seconds: float = Field(default=900.0, ge=1, le=86_400)
