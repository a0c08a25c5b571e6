"""Identity over HTTP: addresses, bodies and answers; what happens is in `actions`."""

from services.identity.api import keys, outside, people, places, sessions, views

ROUTERS = (sessions.router, outside.router, people.router, views.router, places.router, keys.router)
# What somebody needs before they have a token, each protected by the secret that it takes.
PUBLIC = (
    "/v1/sign-in",
    "/v1/sign-in/outside/start",
    "/v1/sign-in/outside",
    "/v1/token",
    "/v1/sign-out",
    "/v1/password",
    "/.well-known/jwks.json",
    "/.well-known/revoked-tokens.json",
)
