"""Settings that every service has: from the environment (ORDERTRAIL_*) or from files in the secrets folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Literal, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

T = TypeVar("T")


class ServiceSettings(BaseSettings):
    """Base of a service's settings. A secret may also be a file named like the setting in `SECRETS_DIR`."""

    model_config = SettingsConfigDict(
        env_prefix="ORDERTRAIL_",
        secrets_dir=os.environ.get("ORDERTRAIL_SECRETS_DIR") or None,
        extra="ignore",
        frozen=True,
        # a refusal names the setting and not what was given: that may be a secret
        hide_input_in_errors=True,
    )

    environment: Literal["development", "production"] = "development"
    # the service's tenant-bound role, and the role of its relay, consumers and workers
    database_url: SecretStr = SecretStr("")
    worker_database_url: SecretStr = SecretStr("")
    database_pool_size: int = Field(default=8, ge=1, le=100)
    worker_pool_size: int = Field(default=4, ge=1, le=100)
    statement_timeout_ms: int = Field(default=10_000, ge=100, le=600_000)

    kafka_bootstrap_servers: str = "127.0.0.1:9092"
    # before every topic name: several installations can share one cluster
    topic_prefix: str = Field(default="", pattern=r"^[a-zA-Z0-9._-]{0,80}$")
    consumer_group: str = ""  # "<topic_prefix>ordertrail-<service>" unless given
    consumer_batch: int = Field(default=500, ge=1, le=10_000)
    # rest after a batch, so that the next one gathers what came meanwhile: at 100 events a second batches of ten cost a
    # consumer half of the processor time of batches of two or three, which a rest of 25 ms makes
    consumer_linger_ms: int = Field(default=100, ge=0, le=5_000)
    consumer_session_timeout_ms: int = Field(default=10_000, ge=1_000, le=300_000)
    # attempts of a parked event before it is dead-lettered, and the most keys that may be parked at once
    parked_attempts: int = Field(default=8, ge=1, le=100)
    parked_first_delay: float = Field(default=1.0, gt=0, le=3600)
    parked_limit: int = Field(default=1_000, ge=1)
    # how long an event waits for one that has to come first, such as a payment for its order
    parked_waiting_hours: float = Field(default=24.0, ge=0, le=24 * 14)
    inbox_retention_days: int = Field(default=14, ge=1)

    relay_batch: int = Field(default=1_000, ge=1, le=10_000)
    relay_poll_seconds: float = Field(default=0.05, gt=0, le=5)

    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8000, ge=0, le=65_535)
    # more than one api process on one port (Linux); each then needs this
    http_reuse_port: bool = False
    http_concurrency: int = Field(default=1_000, ge=1)
    # where a process without the api role answers /healthz, /readyz and /metrics; 0: nowhere
    operations_port: int = Field(default=0, ge=0, le=65_535)
    identity_issuer: str = "http://127.0.0.1:8006"
    jwks_url: str = ""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    shutdown_seconds: float = Field(default=15.0, gt=0, le=300)

    @property
    def jwks_address(self) -> str:
        return self.jwks_url or f"{self.identity_issuer.rstrip('/')}/.well-known/jwks.json"


def made(name: str, make: Callable[[], T], *refusals: type[Exception]) -> T:
    """What `make` makes of the settings of a service. Where one is wrong, or `refusals` are raised, the process ends.

    It says in one line which setting, and what it may be, never what was given, which may be a secret.
    """
    try:
        return make()
    except ValidationError as e:
        wrong = e.errors(include_url=False, include_input=False)
        said = (": ".join([*(f"ORDERTRAIL_{part}".upper() for part in w["loc"]), w["msg"]]) for w in wrong)
        sys.exit(f"{name}: {'; '.join(said)}")
    except refusals as e:
        sys.exit(f"{name}: {e}")
