"""An outside provider's ID token: whether it proves somebody's identity to us, now and for this very sign-in. Pure.

The rules are those of OpenID Connect Core 1.0, 3.1.3.7, without the ways out: a token is signed, by a key that the
provider publishes, by one of `ALGORITHMS`; what it says beside the rules (`jku`, `jwk`, `x5c`) is not looked at.
"""

from __future__ import annotations

import hmac
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from joserfc import jws, jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey

# By algorithm, the kind of key and its curve: asymmetric ones only. A key that is published has to be of no use for
# making tokens, which is why none of HS*, and nothing unsigned, stands here.
ALGORITHMS: Final[Mapping[str, tuple[str, str | None]]] = {
    "RS256": ("RSA", None),
    "PS256": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),
}
# The same algorithm by its older and its newer name (RFC 9864).
_SAME: Final = {"EdDSA": "Ed25519"}
# What a public key consists of: anything more in a published one is not taken along.
_MEMBERS: Final = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_RSA_BITS: Final = 2_048
MOST_BYTES: Final = 16_384
# Two machines that keep time by NTP are well within.
LEEWAY_SECONDS: Final = 30
# The token was made for the code that was shown a moment ago.
AGE_SECONDS: Final = 600
MOST_SUBJECT: Final = 255
MOST_EMAIL: Final = 254

Jwk = Mapping[str, Any]


class NotProven(Exception):
    """The token proves nothing; `str()` says why, in words that hold nothing of it."""


class UnknownKey(NotProven):
    """No key of those that are known is the token's: they may have been changed meanwhile."""


@dataclass(frozen=True, slots=True)
class Proven:
    """Who somebody is at the provider. `email` is None where it did not say any, `verified` what it says of it."""

    subject: str
    email: str | None
    verified: bool
    # what proves it: the provider wants to see it again when somebody signs out
    id_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token has to say to be for us and for this sign-in."""

    issuer: str
    client_id: str
    nonce: str


def verify(token: str, keys: Sequence[Jwk], expected: Expected, now: float) -> Mapping[str, Any]:
    """The claims of a token that holds. Raises NotProven, UnknownKey."""
    if len(token) > MOST_BYTES:
        raise NotProven(f"the ID token is longer than {MOST_BYTES} bytes")
    algorithm, key = _key(token, keys)
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    # a chain of certificates, which nobody here reads, may stand in the header
    registry.max_header_length = MOST_BYTES
    try:
        with warnings.catch_warnings():
            # of the older name of Ed25519, which providers go on using
            warnings.simplefilter("ignore", SecurityWarning)
            claims = jwt.decode(token, key, algorithms=[algorithm], registry=registry).claims
    except (JoseError, ValueError, RecursionError):
        raise NotProven("the signature of the ID token does not fit its key") from None
    _check_party(claims, expected)
    _check_times(claims, now)
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), expected.nonce.encode()):
        raise NotProven("the ID token is of another sign-in (nonce)")
    return claims


def subject_of(claims: Mapping[str, Any]) -> str:
    """The provider's name for the person. Raises NotProven."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MOST_SUBJECT or not subject.isprintable():
        raise NotProven("the subject is not up to 255 printable letters")
    return subject


def address_of(claims: Mapping[str, Any]) -> tuple[str | None, bool]:
    """The e-mail address, None where there is none that could be somebody's, and whether it is verified: `true`, and
    no text that says so."""
    email = claims.get("email")
    fits = isinstance(email, str) and 0 < len(email) <= MOST_EMAIL and email.isprintable()
    return (email if fits else None), claims.get("email_verified") is True


def _key(token: str, keys: Sequence[Jwk]) -> tuple[str, RSAKey | ECKey | OKPKey]:
    try:
        header = jws.extract_compact(token.encode("ascii")).protected
    except (JoseError, ValueError):
        raise NotProven("the ID token is not a JWT") from None
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise NotProven(f"the ID token is not signed by one of {', '.join(ALGORITHMS)}")
    fitting = [k for k in keys if _fits(k, algorithm, header.get("kid"))]
    if len(fitting) != 1:
        raise UnknownKey("no key, or more than one, of the provider's fits the ID token")
    return algorithm, _imported(fitting[0])


def _fits(key: Jwk, algorithm: str, kid: Any) -> bool:
    kind, curve = ALGORITHMS[algorithm]
    stated = key.get("alg", algorithm)
    return isinstance(stated, str) and (
        key.get("kty") == kind
        and (curve is None or key.get("crv") == curve)
        and key.get("use", "sig") == "sig"
        and _SAME.get(stated, stated) == _SAME.get(algorithm, algorithm)
        # without a name in the token, only where there is no other of its kind (10.1)
        and (kid is None or key.get("kid") == kid)
    )


def _imported(key: Jwk) -> RSAKey | ECKey | OKPKey:
    public = {"kty": key["kty"], **{name: key.get(name) for name in _MEMBERS[key["kty"]]}}
    try:
        if key["kty"] == "EC":
            return ECKey.import_key(public)
        if key["kty"] == "OKP":
            return OKPKey.import_key(public)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            rsa = RSAKey.import_key(public)
    except (JoseError, ValueError, TypeError, AttributeError):
        raise NotProven("the provider's key cannot be read") from None
    if rsa.raw_value.key_size < _RSA_BITS:
        raise NotProven(f"the provider's key has less than {_RSA_BITS} bits")
    return rsa


def _check_party(claims: Mapping[str, Any], expected: Expected) -> None:
    if claims.get("iss") != expected.issuer:
        raise NotProven("the ID token was issued by somebody else")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if expected.client_id not in audiences:
        raise NotProven("the ID token is meant for somebody else (aud)")
    authorised = claims.get("azp")
    if (authorised is None and len(audiences) > 1) or authorised not in (None, expected.client_id):
        raise NotProven("the ID token was given to somebody else (azp)")


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    expires, issued, earliest = (_number(claims.get(name)) for name in ("exp", "iat", "nbf"))
    if expires is None or issued is None or (earliest is None and "nbf" in claims):
        raise NotProven("the ID token does not say when it was issued and when it expires")
    if expires <= now - LEEWAY_SECONDS:
        raise NotProven("the ID token has expired")
    if max(issued, earliest or 0) > now + LEEWAY_SECONDS:
        raise NotProven("the ID token is not valid yet: the provider's clock is ahead")
    if issued < now - AGE_SECONDS:
        raise NotProven("the ID token was issued long ago")


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # NaN would be neither before nor after anything, and Infinity never over
    return value if abs(value) < 1e15 else None
