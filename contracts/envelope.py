"""The envelope of every event: CloudEvents 1.0 in Kafka's binary content mode.

Owns the `Event` base class, the registry of event classes and the two translations between an event
and a Kafka record. Nothing here knows a broker client: a record is a topic, a key, headers and bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, ClassVar, Final, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

SPEC_VERSION: Final = "1.0"
CONTENT_TYPE: Final = "application/json"
SCHEMA_PREFIX: Final = "urn:ordertrail:schema:"
# Kafka's default max.message.bytes is 1,048,588; headers and batch overhead stay below 48 kB.
MAX_VALUE_BYTES: Final = 1_000_000

Headers = list[tuple[str, bytes]]


class ContractError(Exception):
    """An event class or a record that does not keep the contract; `reason` says what, where, how to mend."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Event(BaseModel):
    """Base of all events. A subclass names its type and version and is registered by being defined:

        class OrderCreated(OrderEvent, type="order.created", version=1): ...

    The topic is the type unless `topic=` says otherwise. Consumers ignore fields they do not know, so
    adding an optional field to a published version is compatible; anything else is a new version.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_timedelta="iso8601")

    TYPE: ClassVar[str] = ""
    VERSION: ClassVar[int] = 0
    TOPIC: ClassVar[str] = ""

    marketplace_id: UUID

    def __init_subclass__(
        cls, *, type: str | None = None, version: int = 1, topic: str | None = None, **kwargs: Any
    ) -> None:
        super().__init_subclass__(**kwargs)
        if type is None:
            return
        cls.TYPE, cls.VERSION, cls.TOPIC = type, version, topic or type
        known = _registry.setdefault((type, version), cls)
        if known is not cls and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
            raise ContractError(
                f"{type} v{version} is declared twice: {known.__module__}.{known.__qualname__} and "
                f"{cls.__module__}.{cls.__qualname__}; give one of them another type or version"
            )

    def key(self) -> str:
        """The record key: all events of one key stay in order (for order events: the order id)."""
        raise NotImplementedError(f"{type(self).__name__} must say its key")

    def lane(self) -> str:
        """Behind which failing events this one has to wait: those of its key, unless marketplaces may share a key.

        Empty where the event stands for itself alone.
        """
        return self.key()

    def subject(self) -> str:
        """CloudEvents `subject`: what the event is about. The key unless a class says otherwise."""
        return self.key()


E = TypeVar("E", bound=Event, covariant=True)

_registry: dict[tuple[str, int], type[Event]] = {}


def registered() -> Mapping[tuple[str, int], type[Event]]:
    """Every (type, version) and its class. Import `contracts.catalog` first: it imports all modules."""
    return _registry


def schema_uri(event_type: str, version: int) -> str:
    return f"{SCHEMA_PREFIX}{event_type}:v{version}"


@dataclass(frozen=True, slots=True)
class Record:
    """An event as it goes to Kafka, and as an outbox row holds it."""

    event_id: UUID
    marketplace_id: UUID
    topic: str
    key: str
    headers: Headers
    value: bytes


@dataclass(frozen=True, slots=True)
class Received(Generic[E]):
    """An event as a handler gets it: the envelope's attributes beside the parsed event.

    `time` is when the change happened (producer's clock); `traceparent` is W3C trace context or "".
    """

    event_id: UUID
    source: str
    time: datetime
    traceparent: str
    event: E


def encode(event: Event, *, event_id: UUID, source: str, time: datetime, traceparent: str = "") -> Record:
    """The Kafka record of an event. `time` must be aware; it is written in UTC, RFC 3339.

    Raises ContractError where the serialized event is larger than MAX_VALUE_BYTES.
    """
    value = event.model_dump_json(exclude_none=True).encode()
    if len(value) > MAX_VALUE_BYTES:
        raise ContractError(
            f"{event.TYPE} {event_id} is {len(value)} bytes, over the limit of {MAX_VALUE_BYTES}; "
            "large content belongs in a document that the event refers to"
        )
    key = event.key()
    headers: Headers = [
        ("ce_specversion", SPEC_VERSION.encode()),
        ("ce_id", str(event_id).encode()),
        ("ce_source", source.encode()),
        ("ce_type", event.TYPE.encode()),
        ("ce_time", time.astimezone(UTC).isoformat().replace("+00:00", "Z").encode()),
        ("ce_subject", event.subject().encode()),
        ("ce_dataschema", schema_uri(event.TYPE, event.VERSION).encode()),
        ("ce_partitionkey", key.encode()),
        ("content-type", CONTENT_TYPE.encode()),
    ]
    if traceparent:
        headers.append(("traceparent", traceparent.encode()))
    return Record(event_id, event.marketplace_id, event.TOPIC, key, headers, value)


def decode(headers: Iterable[tuple[str, bytes]], value: bytes | None) -> Received[Event]:
    """The event of a Kafka record. Raises ContractError with the reason for anything unreadable."""
    try:
        h = {name: raw.decode() for name, raw in headers}
    except (UnicodeDecodeError, AttributeError) as e:
        raise ContractError(f"a header is not UTF-8 text: {e}") from None
    missing = [n for n in ("ce_id", "ce_source", "ce_type", "ce_specversion", "ce_dataschema") if not h.get(n)]
    if missing:
        raise ContractError(f"missing CloudEvents header(s) {', '.join(missing)}; send Kafka binary content mode")
    if h["ce_specversion"] != SPEC_VERSION:
        raise ContractError(f"ce_specversion is {h['ce_specversion']!r}; {SPEC_VERSION} is understood")
    if value is None:
        raise ContractError("the record has no value (tombstone); events always carry one")
    if len(value) > MAX_VALUE_BYTES:
        raise ContractError(f"the value is {len(value)} bytes, over the limit of {MAX_VALUE_BYTES}")
    cls = _class_for(h["ce_type"], h["ce_dataschema"])
    try:
        event_id = UUID(h["ce_id"])
        time = datetime.fromisoformat(h["ce_time"]) if "ce_time" in h else datetime.now(UTC)
    except ValueError as e:
        raise ContractError(f"ce_id must be a UUID and ce_time RFC 3339: {e}") from None
    if time.tzinfo is None:
        raise ContractError(f"ce_time {h['ce_time']!r} has no offset; RFC 3339 needs one, as in 2026-01-31T12:00:00Z")
    try:
        event = cls.model_validate_json(value)
    except ValidationError as e:
        raise ContractError(f"the data is not {h['ce_type']}: {_first_errors(e)}") from None
    except RecursionError:
        raise ContractError("the data is nested too deeply") from None
    if b"\\u0000" in value and (place := _nul_in(json.loads(value))) is not None:
        raise ContractError(f"the data is not {h['ce_type']}: {place} has a NUL character (\\u0000); leave it out")
    return Received(event_id, h["ce_source"], time, h.get("traceparent", ""), event)


def _class_for(event_type: str, dataschema: str) -> type[Event]:
    prefix, _, version = dataschema.rpartition(":v")
    if not version.isdigit() or prefix != f"{SCHEMA_PREFIX}{event_type}":
        raise ContractError(f"ce_dataschema {dataschema!r} does not name a version of {event_type!r}")
    cls = _registry.get((event_type, int(version))) if len(version) < 6 else None
    if cls is None:
        raise ContractError(
            f"{event_type} v{version} is not known here; if it is newer than this service, upgrade and redrive"
        )
    return cls


def _nul_in(value: Any) -> str | None:
    """Where a text or a name has a NUL character, which no database keeps as text; None where none has."""
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        at, item = waiting.pop()
        if isinstance(item, str) and "\x00" in item:
            return at or "document"
        pairs = item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ()
        for name, inner in pairs:
            if "\x00" in str(name):
                return f"a name in {at or 'document'}"
            waiting.append((f"{at}.{name}".lstrip("."), inner))
    return None


def _first_errors(e: ValidationError, most: int = 3) -> str:
    errors = e.errors(include_url=False, include_context=False, include_input=False)
    shown = "; ".join(f"{'.'.join(map(str, x['loc'])) or 'document'}: {x['msg']}" for x in errors[:most])
    return shown + (f" (and {len(errors) - most} more)" if len(errors) > most else "")


_SEPARATOR: Final = b"\x1f"


def pack_headers(headers: Headers) -> bytes:
    """Headers of our own records as an outbox row keeps them: cheap to write, and cheapest to read again.

    Raises ContractError where a name or value holds the unit separator (0x1f); `encode` never makes one.
    """
    packed = _SEPARATOR.join([part for name, value in headers for part in (name.encode(), value)])
    if packed.count(_SEPARATOR) != 2 * len(headers) - 1:
        raise ContractError("a header holds the control character 0x1f")
    return packed


@lru_cache(maxsize=256)
def _header_name(raw: bytes) -> str:
    return raw.decode()


def unpack_headers(packed: bytes) -> Headers:
    """The inverse of `pack_headers`."""
    parts = packed.split(_SEPARATOR)
    return list(zip(map(_header_name, parts[::2]), parts[1::2], strict=True))


def headers_to_json(headers: Headers) -> str:
    """Headers as the JSON array that a parked or dead-letter row keeps, for people to read.

    Bytes that are not UTF-8 are kept readable as \\xNN: such a record can only be a dead letter.
    """
    return json.dumps([[n, v.decode("utf-8", "backslashreplace")] for n, v in headers], separators=(",", ":"))


def headers_from_json(text: str) -> Headers:
    """The inverse of `headers_to_json` for headers that are UTF-8."""
    return [(n, v.encode()) for n, v in json.loads(text)]
