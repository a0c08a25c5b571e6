"""Settings of the identity service, beside those that every service has."""

from __future__ import annotations

from pydantic import Field, SecretStr

from shared.settings import ServiceSettings


class Settings(ServiceSettings):
    """Lifetimes, costs and limits. `identity_key` may be a file of the secrets folder, as every secret."""

    http_port: int = Field(default=8006, ge=0, le=65_535)

    # 32 random bytes in base64url; several separated by commas: the first seals, all of them open
    identity_key: SecretStr = SecretStr("")

    access_token_seconds: int = Field(default=900, ge=60, le=3_600)
    log_in_as_seconds: int = Field(default=900, ge=60, le=3_600)
    # a session ends so long after it was last refreshed, and at the latest so long after the sign-in
    session_idle_days: int = Field(default=14, ge=1, le=90)
    session_days: int = Field(default=30, ge=1, le=365)
    invitation_days: int = Field(default=7, ge=1, le=30)
    # a rotated API key's former secret goes on working so long, so that it can be exchanged without a gap
    api_key_overlap_hours: int = Field(default=24, ge=0, le=168)
    signing_key_days: int = Field(default=30, ge=1, le=365)

    # argon2id, RFC 9106: 19 MiB and two passes are OWASP's least, about 25 ms on a slow core
    argon2_memory_kib: int = Field(default=19_456, ge=8_192, le=1_048_576)
    argon2_passes: int = Field(default=2, ge=1, le=20)
    # hashes at once (each takes its memory and a core), and how many may wait for their turn
    hashing_threads: int = Field(default=2, ge=1, le=16)
    hashing_queue: int = Field(default=50, ge=1, le=1_000)

    # failed sign-ins within the window; after them the next is refused without a look at the password
    sign_in_failures_per_email: int = Field(default=10, ge=1, le=1_000)
    sign_in_failures_per_address: int = Field(default=50, ge=1, le=100_000)
    sign_in_window_minutes: int = Field(default=15, ge=1, le=1_440)

    # people sent again per transaction when their organisation or marketplace changes
    republication_batch: int = Field(default=500, ge=1, le=5_000)
