"""Settings of the messaging service (ORDERTRAIL_*)."""

from __future__ import annotations

from typing import Final

from pydantic import Field, SecretStr

from shared.settings import ServiceSettings

MOST_UPLOAD: Final = 20_000_000


class Settings(ServiceSettings):
    """Bounds of attachments and of the live stream."""

    http_port: int = Field(default=8003, ge=0, le=65_535)

    # one file as it is sent, and what a message carries in all as it is kept
    messaging_attachment_bytes: int = Field(default=10_000_000, ge=10_000, le=MOST_UPLOAD)
    messaging_attachments_bytes: int = Field(default=20_000_000, ge=10_000, le=100_000_000)
    # of one image; half as many of a WebP. Decoding takes 10 bytes of memory for each, one image at a time
    messaging_image_pixels: int = Field(default=24_000_000, ge=10_000, le=100_000_000)

    # host:port on which answers by e-mail are taken in (SMTP); empty: none are. The domain and the keys are those that
    # notification writes into its mails
    reply_listen: str = Field(default="", pattern=r"^$|^[^\s:]+:\d{1,5}$")
    reply_domain: str = Field(default="", pattern=r"^[A-Za-z0-9.-]{0,253}$")
    reply_keys: SecretStr = SecretStr("")
    # a whole mail; base64 makes attachments a third larger
    reply_bytes: int = Field(default=20_000_000, ge=10_000, le=50_000_000)

    # open streams of one process, and of one person in it
    messaging_streams_most: int = Field(default=500, ge=1, le=100_000)
    messaging_streams_per_reader: int = Field(default=5, ge=1, le=100)
    # what a slow reader may be behind before it is told to fetch anew instead
    messaging_stream_backlog: int = Field(default=100, ge=1, le=10_000)
    messaging_stream_seconds: float = Field(default=900, ge=1, le=86_400)
    messaging_heartbeat_seconds: float = Field(default=15, ge=0.1, le=60)
    messaging_poll_seconds: float = Field(default=0.5, ge=0.05, le=10)
