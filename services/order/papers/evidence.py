"""The evidence bundle of an order: what is needed to answer a chargeback, with a list of hashes."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import IO, Any, Final

from contracts.order import OrderSnapshot

README: Final = """Evidence for order {number}, made {made}.

order.json      the order as it is
timeline.json   every change: who, what, when. Each entry's hash is the SHA-256 of the 32 bytes of hash_before and
                of the entry without these two, as JSON in UTF-8 with sorted keys and no spaces
tracking.json   parcels with carrier, tracking number and link
messages.json   what buyer, seller and operator wrote to each other, each message's first 200 characters, and its
                attachments by name, type, size and SHA-256. The files themselves are with the messages: what is
                saved from there has the hash that stands here
notes.json      notes of the order
issues.json     problems, disputes, chargebacks
documents/      images and invoices that were attached
SHA256SUMS      the hash of every file, to be checked with: sha256sum -c SHA256SUMS
"""
_UNSAFE: Final = re.compile(r"[^\w.-]+")


class Bundle:
    """A zip archive in the making; file names are made safe, and every file is in the list of hashes."""

    def __init__(self, target: IO[bytes], made: datetime) -> None:
        self._archive = zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED)
        self._made = made
        self._sums: list[tuple[str, str]] = []

    def add(self, name: str, content: bytes) -> None:
        info = zipfile.ZipInfo(name, date_time=self._made.timetuple()[:6])
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o644 << 16
        self._archive.writestr(info, content)
        self._sums.append((hashlib.sha256(content).hexdigest(), name))

    def add_order(
        self,
        order: OrderSnapshot,
        timeline: Sequence[Mapping[str, Any]],
        messages: Sequence[Mapping[str, Any]],
    ) -> None:
        whole = order.model_dump(mode="json", exclude_none=True)
        self.add("README.txt", README.format(number=order.number, made=self._made.isoformat()).encode())
        self.add("order.json", _json(whole))
        self.add("timeline.json", _json(timeline))
        self.add("tracking.json", _json(whole.get("parcels", [])))
        self.add("messages.json", _json(messages))
        self.add("notes.json", _json(whole.get("notes", [])))
        self.add("issues.json", _json(whole.get("issues", [])))

    def add_document(self, position: int, file_name: str, content: bytes) -> None:
        safe = _UNSAFE.sub("_", file_name)[-100:].lstrip(".") or "file"
        self.add(f"documents/{position:02d}-{safe}", content)

    def close(self) -> None:
        sums = "".join(f"{digest}  {name}\n" for digest, name in self._sums)
        self._archive.writestr("SHA256SUMS", sums)
        self._archive.close()


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode()
