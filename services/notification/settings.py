"""Settings of the notification service (ORDERTRAIL_*)."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """`smtp_*`: how mail leaves; `mail_*`: what stands in it; `bounce_*`: how returned mail comes in."""

    http_port: int = Field(default=8002, ge=0, le=65_535)

    # where "View order" leads, and where this service's own API is reached from outside (one-click unsubscribe)
    console_url: str = Field(default="http://127.0.0.1:8000", pattern=r"^https?://[^\s<>\"']+$")
    notification_url: str = Field(default="http://127.0.0.1:8002", pattern=r"^https?://[^\s<>\"']+$")

    smtp_host: str = "127.0.0.1"
    smtp_port: int = Field(default=1025, ge=1, le=65_535)
    # none: plain text, for a mailbox on the same machine; starttls: required, never optional; tls: from the start
    smtp_security: Literal["none", "starttls", "tls"] = "none"
    smtp_username: str = ""
    smtp_password: SecretStr = SecretStr("")
    # a CA bundle (PEM) for a mail server whose certificate no public authority signed
    smtp_ca_file: str = ""
    # of each step: connect, TLS, every command. RFC 5321 4.5.3.2 asks for minutes; a relay of one's own needs less
    smtp_timeout_seconds: float = Field(default=30.0, gt=0, le=600)
    # how long the server may take to answer a whole mail; after that it is unknown whether it was taken
    smtp_answer_seconds: float = Field(default=300.0, gt=0, le=1_800)
    # how long the end of a mail that has left is written down again and again while the database is away
    smtp_settle_seconds: float = Field(default=60.0, gt=0, le=600)
    smtp_connections: int = Field(default=4, ge=1, le=64)
    smtp_mails_per_connection: int = Field(default=50, ge=1, le=10_000)
    smtp_lease_seconds: float = Field(default=300.0, gt=0, le=3_600)
    # pauses after the first, second ... temporary refusal, each +-20 %; after the last one the mail has failed
    smtp_retry_seconds: tuple[float, ...] = (60, 300, 900, 3_600, 7_200, 14_400, 28_800)
    # the pause after trouble with the server itself grows from one second to this
    smtp_trouble_seconds: float = Field(default=60.0, gt=0, le=3_600)

    mail_from: str = Field(default="no-reply@ordertrail.example", pattern=r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+$")
    # the right side of Message-IDs and of return addresses; the domain of mail_from where empty
    mail_domain: str = Field(default="", pattern=r"^[A-Za-z0-9.-]{0,253}$")
    # events older than this when first seen are shown in-app but not mailed
    mail_stale_hours: float = Field(default=72, gt=0)
    # how long a mail is kept for sending at most, as mail servers do: five days, quiet hours included
    mail_give_up_hours: float = Field(default=120, gt=0)

    # host:port on which returned mail is taken in (SMTP); empty: bounces are not read
    bounce_listen: str = Field(default="", pattern=r"^$|^[^\s:]+:\d{1,5}$")

    # mails that tell of a message can be answered at this domain, where messaging takes them in; empty: they cannot.
    # The keys are messaging's too
    reply_domain: str = Field(default="", pattern=r"^[A-Za-z0-9.-]{0,253}$")
    reply_keys: SecretStr = SecretStr("")

    stream_clients: int = Field(default=500, ge=1, le=100_000)
    stream_clients_per_person: int = Field(default=8, ge=1, le=100)
    stream_heartbeat_seconds: float = Field(default=15.0, gt=0, le=300)
    stream_minutes: float = Field(default=10.0, gt=0, le=1_440)

    # how long an event waits for a party of whom nothing is known yet
    party_patience_minutes: float = Field(default=10, gt=0)
    notification_retention_days: int = Field(default=180, ge=1)

    @property
    def domain(self) -> str:
        return self.mail_domain or self.mail_from.rpartition("@")[2]

    @model_validator(mode="after")
    def _safe_in_production(self) -> Self:
        if self.smtp_security == "none" and self.smtp_password.get_secret_value():
            raise ValueError("smtp_password would travel unencrypted: set ORDERTRAIL_SMTP_SECURITY to starttls or tls")
        return self
