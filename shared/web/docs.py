"""The API's documentation page: Swagger UI from the installed package, served by us, nothing from anywhere else."""

from __future__ import annotations

import html
from importlib.resources import files
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.errors import NotFound

# Swagger UI sets style attributes through the DOM and draws icons from data: addresses; scripts are files only.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
ASSETS: Final = {
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "swagger-ui.css": "text/css; charset=utf-8",
    "favicon-32x32.png": "image/png",
}
START: Final = b"""window.addEventListener("load", () => {
  SwaggerUIBundle({
    url: "/openapi.json", dom_id: "#api", deepLinking: true, validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis], layout: "BaseLayout", displayRequestDuration: true,
  });
});
"""


def docs_routes(title: str) -> list[Route]:
    """`/docs` and what it loads."""
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}: API</title>"
        '<link rel="stylesheet" href="/docs/swagger-ui.css"><link rel="icon" href="/docs/favicon-32x32.png">'
        '</head><body><div id="api"></div>'
        '<script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/start.js"></script></body></html>'
    ).encode()
    headers = {"content-security-policy": POLICY, "cache-control": "public, max-age=3600"}

    async def show(_: Request) -> Response:
        return Response(page, headers=headers, media_type="text/html")

    async def asset(request: Request) -> Response:
        name = request.path_params["name"]
        if name == "start.js":
            return Response(START, headers=headers, media_type="text/javascript; charset=utf-8")
        if name not in ASSETS:
            raise NotFound("not_found", "There is nothing at this address.")
        # Read each time: the page is opened rarely, and 2 MB of it would stay in every process.
        content = files("fastapi_swagger").joinpath("resources", name).read_bytes()
        return Response(content, headers=headers, media_type=ASSETS[name])

    return [Route("/docs", show), Route("/docs/{name}", asset)]
