"""Settings of the identity service, beside those that every service has."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from shared.settings import ServiceSettings

_URL: Final = r"^https?://[^\s<>\"'?#@]+$"


def is_private_enough(url: str, *, plain_http: bool) -> bool:
    """Whether secrets may travel to `url`: https, or http to this machine; anywhere over http where `plain_http`."""
    parts = urlsplit(url)
    if parts.scheme == "https" and parts.hostname:
        return True
    return parts.scheme == "http" and bool(parts.hostname) and (plain_http or _is_loopback(parts.hostname or ""))


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


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

    # an outside OpenID Connect provider, by which people may sign in; without an issuer there is none
    oidc_issuer: str = Field(default="", pattern=r"^$|" + _URL)
    oidc_client_id: str = Field(default="", max_length=255)
    oidc_client_secret: SecretStr = SecretStr("")
    # what people know it as, such as Contoso; its host unless given
    oidc_name: str = Field(default="", max_length=60, pattern=r"^[^\x00-\x1f\x7f]*$")
    # whether people sign in by the provider alone, and passwords count no longer
    oidc_only: bool = False
    # whether signing out here signs out there too, where the provider has an address for it
    oidc_sign_out: bool = True
    # the console's own address as browsers see it: from the provider people come back to it
    console_url: str = Field(default="http://127.0.0.1:8000", pattern=_URL)

    @property
    def provider_name(self) -> str:
        """What people know the outside provider as."""
        return self.oidc_name.strip() or urlsplit(self.oidc_issuer).hostname or ""

    @property
    def oidc_redirect_uri(self) -> str:
        """Where the provider sends people back to; it has to be registered there, letter by letter."""
        return f"{self.console_url.rstrip('/')}/sign-in/callback"

    @property
    def oidc_signed_out_uri(self) -> str:
        """Where the provider sends people who have signed out; it has to be registered there as well."""
        return f"{self.console_url.rstrip('/')}/sign-in"

    @model_validator(mode="after")
    def _whole_provider(self) -> Self:
        if not self.oidc_issuer:
            if self.oidc_only:
                raise ValueError("nobody could sign in: ORDERTRAIL_OIDC_ONLY needs ORDERTRAIL_OIDC_ISSUER")
            return self
        if not self.oidc_client_id or not self.oidc_client_secret.get_secret_value():
            raise ValueError(
                "ORDERTRAIL_OIDC_ISSUER needs ORDERTRAIL_OIDC_CLIENT_ID and the file ordertrail_oidc_client_secret in "
                "the secrets folder of identity"
            )
        if not is_private_enough(self.oidc_issuer, plain_http=self.environment == "development"):
            raise ValueError("ORDERTRAIL_OIDC_ISSUER has to be https: the client secret travels there")
        return self
