"""A browser without a script engine: keeps cookies, reads pages, fills in and sends their forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
from lxml import html

Filling = Mapping[str, Any]


@dataclass
class Form:
    """A form as it stands on a page: what it would send if nobody touched it."""

    action: str
    method: str
    pairs: list[tuple[str, str]]
    multipart: bool

    def filled(self, given: Filling) -> list[tuple[str, Any]]:
        """The pairs with `given` in place of (or beside) what stands there; None leaves a field out."""
        kept = [(n, v) for n, v in self.pairs if n not in given]
        for name, value in given.items():
            values = value if isinstance(value, list) else [value]
            kept += [(name, v) for v in values if v is not None]
        return kept


@dataclass
class Page:
    """What came back. `status` and `headers` are those of the last answer, after redirects."""

    status: int
    url: str
    headers: Mapping[str, str]
    raw: bytes
    _tree: Any = field(default=None, repr=False)

    @property
    def tree(self) -> Any:
        if self._tree is None:
            self._tree = html.document_fromstring(self.raw.decode())
        return self._tree

    @property
    def path(self) -> str:
        parts = urlsplit(self.url)
        return parts.path + (f"?{parts.query}" if parts.query else "")

    def text(self, tag: str = "main") -> str:
        """The words of the first element that fits, "" where there is none."""
        found = self.tree.xpath(f"//{tag}")
        return " ".join(found[0].text_content().split()) if found else ""

    def texts(self, xpath: str) -> list[str]:
        return [" ".join(e.text_content().split()) for e in self.tree.xpath(xpath)]

    @property
    def notice(self) -> str:
        return " ".join(self.texts("//p[@role='status'][not(@hidden)]"))

    @property
    def alert(self) -> str:
        return " ".join(self.texts("//*[@role='alert']"))

    @property
    def heading(self) -> str:
        return " ".join(self.texts("//h1"))

    def links(self) -> list[str]:
        return [str(a) for a in self.tree.xpath("//a/@href")]

    def forms(self) -> list[Form]:
        return [_form(f) for f in self.tree.xpath("//form")]

    def form(self, ending: str) -> Form:
        """The form whose action ends so. Fails where there is none."""
        for found in self.forms():
            if found.method == "post" and found.action.endswith(ending):
                return found
        raise AssertionError(f"{self.path} has no form {ending}: {[f.action for f in self.forms()]}")


def _form(element: Any) -> Form:
    pairs: list[tuple[str, str]] = []
    for e in element.xpath(".//input | .//textarea | .//select"):
        name, kind = e.get("name"), e.get("type", "text")
        if not name or kind in ("file", "submit"):
            continue
        if kind in ("checkbox", "radio") and e.get("checked") is None:
            continue
        if e.tag == "select":
            options = e.xpath(".//option")
            chosen = [o for o in options if o.get("selected") is not None] or options[:1]
            pairs += [(name, o.get("value", o.text_content())) for o in chosen]
        else:
            pairs.append((name, e.text_content() if e.tag == "textarea" else e.get("value", "on")))
    return Form(
        element.get("action", ""), element.get("method", "get").lower(), pairs,
        element.get("enctype") == "multipart/form-data",
    )  # fmt: skip


def value(page: Page, name: str) -> str:
    """What stands in the one field of that name."""
    [found] = page.tree.xpath("//input[@name=$name]/@value", name=name)
    return str(found)


def checked(page: Page, name: str) -> Sequence[str]:
    """The boxes of that name that are ticked."""
    return [str(v) for v in page.tree.xpath("//input[@name=$name][@checked]/@value", name=name)]


class Browser:
    """`async with Browser(url) as browser`: one person's browser."""

    def __init__(self, base: str, headers: Mapping[str, str] | None = None) -> None:
        self.base = base
        self._headers = dict(headers or {})

    async def __aenter__(self) -> Browser:
        # cookies of plain addresses are kept too
        self.http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), headers=self._headers)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()

    async def get(self, path: str, **more: Any) -> Page:
        async with self.http.get(urljoin(self.base, path), **more) as answer:
            return Page(answer.status, str(answer.url), answer.headers, await answer.read())

    async def send(self, page: Page, ending: str, *, follow: bool = True, **given: Any) -> Page:
        """Send a page's form; names with a dot are given as `{"p.note": ...}` through `fill`."""
        return await self.fill(page, ending, given, follow=follow)

    async def fill(self, page: Page, ending: str, given: Filling, *, follow: bool = True) -> Page:
        form = page.form(ending)
        return await self.post(form.action, form.filled(given), multipart=form.multipart, follow=follow)

    async def post(
        self,
        path: str,
        pairs: Sequence[tuple[str, Any]],
        *,
        multipart: bool = False,
        follow: bool = True,
        headers: Mapping[str, str] | None = None,
    ) -> Page:
        # file names go out as browsers send them
        data = aiohttp.FormData(quote_fields=False, default_to_multipart=multipart)
        for name, value in pairs:
            if isinstance(value, tuple):
                file_name, media_type, content = value
                data.add_field(name, content, filename=file_name, content_type=media_type)
            else:
                data.add_field(name, value)
        url = urljoin(self.base, path)
        async with self.http.post(url, data=data, allow_redirects=follow, headers=headers) as answer:
            return Page(answer.status, str(answer.url), answer.headers, await answer.read())

    async def sign_in(self, email: str, password: str, path: str = "/orders") -> Page:
        page = await self.get(path)
        return await self.send(page, "/sign-in", email=email, password=password)
