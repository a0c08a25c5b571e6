"""The composition root of identity."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from fastapi import FastAPI

from services.identity.actions import revoking
from services.identity.api import PUBLIC, ROUTERS
from services.identity.context import Context
from services.identity.housekeeping import keep_house
from services.identity.republishing import republish
from services.identity.settings import Settings
from shared.process import Runtime, Service
from shared.stop import Stop
from shared.web import create_app
from shared.web.revoked import Revoked
from shared.web.tokens import Verifier


def api(run: Runtime) -> FastAPI:
    here = Context.of(run)
    app = create_app(
        title="Identity",
        service="identity",
        runtime=run,
        routers=ROUTERS,
        public=PUBLIC,
        # its own keys are at hand: it need not ask itself over HTTP; and whose rights are gone, changes nothing more
        verifier=Verifier(
            here.settings.identity_issuer,
            here.ring.published,
            revoked=Revoked(partial(revoking.found, here), fresh_seconds=0.0, strict=True),
        ),
        description="Marketplaces, organisations, people and their roles, sign-in, access tokens and API keys.",
    )
    app.state.identity = here
    return app


async def housekeeping(run: Runtime, stop: Stop) -> None:
    await keep_house(Context.of(run), stop)


def service(settings: Settings | None = None) -> Service:
    return Service(
        name="identity",
        schema="identity",
        settings=settings or Settings(),
        migrations=Path(__file__).parent / "migrations",
        api=api,
        workers={"republish": republish, "housekeeping": housekeeping},
    )
