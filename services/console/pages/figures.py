"""The reports as files, as the reporting service makes them of what the page shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from services.console.downloads import download
from services.console.errors import NoSuchPage
from services.console.page import Page
from services.console.visit import Visit

FORMATS: Final[Mapping[str, str]] = {"csv": "CSV", "xlsx": "XLSX", "parquet": "Parquet"}
TABLES: Final = ("orders", "summary", "rates", "sellers", "channels", "savings")
PARQUET: Final = "application/vnd.apache.parquet"
# What a page of reports is asked for, which is what its files are asked for.
ASKED: Final = ("from", "to", "clock", "interval", "seller", "by")


def links(table: str, asked: Mapping[str, str]) -> Sequence[tuple[str, str]]:
    """The files of a table by the words for their kinds."""
    query = urlencode({name: asked[name] for name in ASKED if asked.get(name)})
    return [(words, f"/reports/{table}.{kind}?{query}") for kind, words in FORMATS.items()]


async def export(visit: Visit) -> Response:
    table, kind = str(visit.request.path_params["table"]), str(visit.request.path_params["format"])
    if table not in TABLES or kind not in FORMATS:
        raise NoSuchPage
    params = [(name, visit.asked(name, 40)) for name in ASKED]
    also = PARQUET if kind == "parquet" else ""
    return await download(visit, "reporting", f"/v1/reports/{table}/export", [*params, ("format", kind)], also=also)


PAGES: Final[Sequence[Page]] = (Page("/reports/{table}.{format}", export, counted=False),)
