"""The API's description tells of answers what they are: generated clients rely on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import jsonschema
import pytest

from shared.ids import new_id
from tests.integration.webhook.receiver import Receiver, status
from tests.integration.webhook.world import World, path, settled
from tests.waiting import until

Schema = Mapping[str, Any]
EPOCH: Final = "2020-01-01T00:00:00Z"


class Description:
    """The OpenAPI document of the running service, and answers held against it."""

    def __init__(self, document: Schema) -> None:
        self._document = document
        self.checked: set[tuple[str, str]] = set()

    def check(self, method: str, where: str, code: int, answer: Any) -> None:
        """`where` is the path as the description has it."""
        operation = self._document["paths"][where][method.lower()]
        schema = operation["responses"][str(code)]["content"]["application/json"]["schema"]
        whole = {**schema, "components": self._document["components"]}
        jsonschema.Draft202012Validator(whole).validate(answer)
        assert list(self._untold(schema, answer, where)) == []
        self.checked.add((method, where))

    def _untold(self, schema: Schema, answer: Any, at: str) -> Iterator[str]:
        """Places of the answer that the description does not know of."""
        schema = self._found(schema)
        if isinstance(answer, list):
            for each in answer:
                yield from self._untold(schema["items"], each, f"{at}[]")
        elif isinstance(answer, dict) and "properties" in schema:
            for name, value in answer.items():
                if name not in schema["properties"]:
                    yield f"{at}.{name}"
                elif value is not None:
                    yield from self._untold(schema["properties"][name], value, f"{at}.{name}")

    def _found(self, schema: Schema) -> Schema:
        if "anyOf" in schema:
            schema = next(s for s in schema["anyOf"] if s.get("type") != "null")
        if "$ref" in schema:
            return self._found(self._document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
        return schema

    def missing(self) -> set[tuple[str, str]]:
        """What answers with a document and was not checked."""
        answering = {
            (method.upper(), where)
            for where, operations in self._document["paths"].items()
            for method, operation in operations.items()
            if where.startswith("/v1/") and "204" not in operation["responses"]
        }
        return answering - self.checked


async def _asked(world: World, said: Description, method: str, where: str, body: Any = None, **given: Any) -> Any:
    ids, params = given.pop("ids", {}), given.pop("params", None)
    code, answer = await world.call(method, where.format(**ids), body, params=params, **given)
    assert code < 300, answer
    said.check(method, where, code, answer)
    return answer


@pytest.fixture
async def said(world: World) -> Description:
    async with world.http.get(world.base + "/openapi.json") as answer:
        return Description(await answer.json())


async def test_every_answer_is_as_described(world: World, receiver: Receiver, said: Description) -> None:
    async def ask(method: str, where: str, body: Any = None, **given: Any) -> Any:
        return await _asked(world, said, method, where, body, **given)

    one = "/v1/endpoints/{endpoint_id}"
    receiver.answer = status(500, b"no", x_what="that")
    made = await ask("POST", "/v1/endpoints", {
        "url": receiver.url, "headers": {"a": "b"}, "signature": "both", "retry_schedule": [],
        "filter": {"channels": ["direct"], "sellers": [str(world.seller)], "phases": ["pending"], "actions": ["place"]},
    })  # fmt: skip
    ids = {"endpoint_id": made["endpoint_id"]}
    await ask("GET", "/v1/endpoints")
    await ask("GET", one, ids=ids)
    await ask("PATCH", one, {"filter": None}, ids=ids)
    await ask("POST", one + "/secret", {"kind": "hmac"}, ids=ids)
    await ask("GET", one + "/secret", ids=ids)
    await ask("POST", one + "/test", ids=ids)
    events = world.life(1)
    await world.take_in(events)
    await settled(world, made, exhausted=3)
    for verb in ("pause", "resume", "disable", "enable"):
        await ask("POST", f"{one}/{verb}", ids=ids)
    log = await ask("GET", one + "/deliveries", ids=ids)
    ids["delivery_id"] = next(d["delivery_id"] for d in log["items"] if d["origin"] == "event")
    await ask("GET", "/v1/deliveries", params={"order_id": str(events[0].order_id)})
    await ask("GET", "/v1/deliveries/{delivery_id}", ids=ids)
    await ask("POST", "/v1/deliveries/{delivery_id}/retry", ids=ids)
    replay = await ask("POST", "/v1/replays", {"endpoint_id": made["endpoint_id"], "received_from": EPOCH})
    ids["replay_id"] = replay["replay_id"]
    await ask("GET", "/v1/replays")
    await ask("GET", "/v1/replays/{replay_id}", ids=ids)
    await ask("POST", "/v1/replays/{replay_id}/cancel", ids=ids)

    async def counted() -> bool:
        return bool((await world.call("GET", path(made, "/stats")))[1]["hours"])

    await until(counted)
    await ask("GET", one + "/stats", ids=ids)
    await ask("GET", "/v1/event-types")
    await ask("GET", "/v1/event-types/{name}", ids={"name": "order.created"})
    await ask("GET", "/v1/events")
    entry = {"network": "10.9.0.0/16", "reason": "our own"}
    assert (await world.call("PUT", "/v1/allowed-networks", entry, who="operator"))[0] == 204
    await ask("GET", "/v1/allowed-networks", who="operator")
    assert said.missing() == set()


async def test_what_is_kept_of_an_answer_is_described_too(world: World, receiver: Receiver, said: Description) -> None:
    """Repeated requests get null where secrets were."""
    for where, body in (("/v1/endpoints", {"url": receiver.url}), ("/v1/endpoints/{endpoint_id}/secret", {})):
        ids, key = (
            {"endpoint_id": (await world.endpoint(receiver.url))["endpoint_id"]},
            {"Idempotency-Key": str(new_id())},
        )
        for _ in range(2):
            answer = await _asked(world, said, "POST", where, body, ids=ids, headers=key)
        assert answer["secret"] is None
