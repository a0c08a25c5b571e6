"""Generated files of the contracts: JSON Schemas, AsyncAPI and golden payloads.

`python -m contracts.generate` writes them and refuses a change that breaks a published version;
`python -m contracts.generate --check` only says what differs. A golden payload is written when its version is
new and never again: every consumer parses it for ever.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

import yaml

from contracts.catalog import catalogue
from contracts.compatibility import incompatibilities
from contracts.envelope import CONTENT_TYPE, Event, schema_uri
from contracts.examples import examples
from contracts.topics import TOPICS

HERE: Final = Path(__file__).parent
SCHEMAS: Final = HERE / "schemas"
GOLDEN: Final = HERE / "golden"
ASYNCAPI: Final = HERE / "asyncapi.yaml"
INBOUND: Final = ("order.submitted", "payment.settled", "listing.changed")


def schema(cls: type[Event]) -> dict[str, Any]:
    """JSON Schema (2020-12) of an event's data as it is on the wire."""
    body = cls.model_json_schema(mode="serialization")
    body.pop("title", None)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": schema_uri(cls.TYPE, cls.VERSION),
        "title": f"{cls.TYPE} v{cls.VERSION}",
        **body,
    }


def asyncapi() -> str:
    """The AsyncAPI 3 document of all topics."""
    events = catalogue()
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    for topic in TOPICS:
        mine = [c for c in events.values() if topic.name == c.TOPIC]
        names = {f"{c.TYPE}.v{c.VERSION}": c for c in mine}
        channels[topic.name] = {
            "address": topic.name,
            "description": f"{topic.summary} Record key: {topic.key}.",
            "messages": {n: {"$ref": f"#/components/messages/{n}"} for n in names},
            "bindings": {"kafka": {"topic": topic.name, "partitions": topic.partitions}},
        }
        action = "receive" if topic.name in INBOUND else "send"
        operations[f"{action}.{topic.name}"] = {
            "action": action,
            "channel": {"$ref": f"#/channels/{topic.name}"},
            "summary": topic.summary,
        }
        for name, cls in names.items():
            messages[name] = {
                "name": cls.TYPE,
                "title": f"{cls.TYPE} v{cls.VERSION}",
                "summary": (cls.__doc__ or "").strip().splitlines()[0],
                "contentType": CONTENT_TYPE,
                "headers": {"$ref": "#/components/schemas/cloudEventsHeaders"},
                "payload": {"$ref": f"schemas/{name}.json"},
            }
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Ordertrail events",
            "version": "1",
            "description": "CloudEvents 1.0 in Kafka's binary content mode; the value is JSON, the key keeps order.",
        },
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": {"cloudEventsHeaders": _headers_schema()}},
    }
    return yaml.safe_dump(document, sort_keys=False, width=110, allow_unicode=True)


def _headers_schema() -> dict[str, Any]:
    text = {"type": "string"}
    required = ["ce_id", "ce_source", "ce_type", "ce_specversion", "ce_time", "ce_subject", "ce_dataschema"]
    return {
        "type": "object",
        "required": [*required, "ce_partitionkey", "content-type"],
        "properties": {
            **dict.fromkeys(required, text),
            "ce_id": {"type": "string", "format": "uuid"},
            "ce_specversion": {"const": "1.0"},
            "ce_time": {"type": "string", "format": "date-time"},
            "ce_partitionkey": text,
            "content-type": {"const": CONTENT_TYPE},
            "traceparent": {"type": "string", "description": "W3C trace context"},
        },
    }


def wanted() -> dict[Path, str]:
    """Every generated file and its text; golden payloads only where there is none yet."""
    files = {ASYNCAPI: asyncapi()}
    shown = examples()
    for (event_type, version), cls in catalogue().items():
        files[SCHEMAS / f"{event_type}.v{version}.json"] = _text(schema(cls))
        golden = GOLDEN / f"{event_type}.v{version}.json"
        if not golden.exists() and (event_type, version) in shown:
            files[golden] = _text(json.loads(shown[event_type, version].model_dump_json(exclude_none=True)))
    return files


def broken() -> list[str]:
    """What in the classes breaks a published version, compared with the committed schemas."""
    found = []
    current = {f"{t}.v{v}.json": schema(c) for (t, v), c in catalogue().items()}
    for path in sorted(SCHEMAS.glob("*.json")):
        if path.name not in current:
            found.append(f"{path.name}: the published version is gone; its class must stay for ever")
            continue
        published = json.loads(path.read_text(encoding="utf-8"))
        found += [f"{path.name}: {what}" for what in incompatibilities(published, current[path.name])]
    return found


def _text(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m contracts.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where something differs")
    check = parser.parse_args(argv).check
    if faults := broken():
        sys.stderr.write("A published version changed incompatibly; make a new version instead:\n")
        sys.stderr.writelines(f"  {fault}\n" for fault in faults)
        return 1
    stale = {p: t for p, t in wanted().items() if not p.exists() or p.read_text(encoding="utf-8") != t}
    for path, text in stale.items():
        name = path.relative_to(HERE.parent)
        if check:
            sys.stderr.write(f"{name} is out of date: run make generate\n")
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {name}\n")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
