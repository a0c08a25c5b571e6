"""Settings of the webhook service (ORDERTRAIL_*)."""

from __future__ import annotations

from ipaddress import ip_network

from pydantic import Field, SecretStr, field_validator

from services.webhook.addresses import LOOPBACK, Network, Policy
from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Where deliveries may go, how many at a time, and how long things are kept."""

    http_port: int = Field(default=8005, ge=0, le=65_535)
    # somebody outside waits for these events
    consumer_linger_ms: int = Field(default=0, ge=0, le=5_000)

    # `id:base64` of 32 bytes each, newest first, separated by commas: what secrets are sealed with
    webhook_secret_keys: SecretStr = SecretStr("")
    # what CloudEvents receivers are asked to agree to (WebHook-Request-Origin)
    webhook_origin: str = Field(default="ordertrail.localhost", pattern=r"^[a-z0-9.-]{1,253}$")

    # Outside development: https only, to these ports. In development http and every port are allowed as well.
    webhook_ports: str = Field(default="443,8443", pattern=r"^[0-9, ]*$")
    # CIDRs that may be reached although the deny list has them; in development loopback is added
    webhook_allowed_networks: str = ""
    webhook_allow_loopback: bool | None = None
    # a private certificate authority that receivers' certificates may come from, beside the system's
    webhook_ca_file: str = ""

    # exchanges under way at once in this process, over all endpoints
    webhook_in_flight: int = Field(default=1_000, ge=4, le=20_000)
    # a claim's lease beyond the endpoint's own deadline: what a killed worker's deliveries wait at most
    webhook_lease_seconds: float = Field(default=15.0, ge=1, le=600)
    webhook_poll_seconds: float = Field(default=0.05, ge=0.005, le=10)
    # how long an event waits for its predecessor before its stream goes on without
    webhook_gap_seconds: float = Field(default=60.0, ge=0.1, le=3_600)
    webhook_retention_days: int = Field(default=30, ge=2, le=365)
    webhook_endpoints_most: int = Field(default=50, ge=1, le=10_000)

    @field_validator("webhook_allowed_networks")
    @classmethod
    def _networks(cls, text: str) -> str:
        _parse_networks(text)
        return text

    @property
    def loopback_allowed(self) -> bool:
        """Whether deliveries to this machine itself are allowed: the default in development, nowhere else."""
        if self.webhook_allow_loopback is None:
            return self.environment == "development"
        return self.webhook_allow_loopback

    def policy(self) -> Policy:
        """The installation's policy; a marketplace's own allow-list comes on top."""
        development = self.environment == "development"
        return Policy(
            https_only=not development,
            ports=frozenset() if development else frozenset(int(p) for p in self.webhook_ports.split(",") if p.strip()),
            allowed=(*_parse_networks(self.webhook_allowed_networks), *(LOOPBACK if self.loopback_allowed else ())),
        )


def _parse_networks(text: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as e:
        raise ValueError(
            f"webhook_allowed_networks holds networks such as 10.1.0.0/16, separated by commas: {e}"
        ) from e
