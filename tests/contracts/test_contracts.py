"""What every event class, generated file and golden payload must keep."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, get_args
from uuid import uuid4

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from contracts.catalog import catalogue
from contracts.compatibility import incompatibilities
from contracts.envelope import ContractError, Event, decode, encode, headers_from_json, headers_to_json
from contracts.examples import examples
from contracts.generate import GOLDEN, SCHEMAS, main, schema
from contracts.money import Money, exponent, from_minor, to_minor
from contracts.topics import TOPICS

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ALL = list(catalogue().items())


def _names(value: Any) -> str:
    return f"{value[0]}.v{value[1]}" if isinstance(value, tuple) else ""


def test_generated_files_are_up_to_date() -> None:
    assert main(["--check"]) == 0


def test_every_topic_has_an_event_and_every_event_a_topic() -> None:
    assert {c.TOPIC for _, c in ALL} == {t.name for t in TOPICS}


@pytest.mark.parametrize(("name", "cls"), ALL, ids=_names)
def test_golden_payloads_are_parsed_for_ever(name: tuple[str, int], cls: type[Event]) -> None:
    path = GOLDEN / f"{name[0]}.v{name[1]}.json"
    payload = json.loads(path.read_text())
    parsed = cls.model_validate_json(path.read_bytes())
    assert json.loads(parsed.model_dump_json(exclude_none=True)) == payload
    jsonschema.Draft202012Validator(json.loads((SCHEMAS / path.name).read_text())).validate(payload)


@pytest.mark.parametrize(("name", "cls"), ALL, ids=_names)
def test_an_event_survives_the_way_over_the_wire(name: tuple[str, int], cls: type[Event]) -> None:
    event = examples()[name]
    event_id = uuid4()
    record = encode(event, event_id=event_id, source="/ordertrail/test", time=NOW, traceparent="00-" + "a" * 32)
    received = decode(headers_from_json(headers_to_json(record.headers)), record.value)
    assert (received.event, received.event_id, received.time) == (event, event_id, NOW)
    assert record.key == event.key() != ""
    assert dict(record.headers)["ce_partitionkey"].decode() == record.key


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ('{"order": {"external_id": "a\\u0000"}}', "order.external_id"),
        ('{"order": {"attributes": {"a\\u0000": "b"}}}', "a name in order.attributes"),
        ('{"order": {"lines": [{"name": "\\u0000"}]}}', "order.lines.0.name"),
    ],
)
def test_a_text_that_no_database_keeps_is_unreadable_and_its_place_is_told(value: str, place: str) -> None:
    event = examples()[("order.submitted", 1)]
    record = encode(event, event_id=uuid4(), source="/ordertrail/test", time=NOW)
    spoilt = json.loads(record.value)
    for name, odd in json.loads(value)["order"].items():
        if isinstance(odd, list):
            spoilt["order"][name][0] |= odd[0]
        else:
            spoilt["order"][name] = odd
    with pytest.raises(ContractError, match=f"{place} has a NUL character"):
        decode(record.headers, json.dumps(spoilt).encode())
    spoilt = json.loads(record.value)
    spoilt["order"]["note"] = "only what it is written as: \\u0000"
    assert decode(record.headers, json.dumps(spoilt).encode()).event


def _models(cls: type[BaseModel], seen: set[type[BaseModel]]) -> set[type[BaseModel]]:
    """The class and every model that its fields hold."""
    if cls not in seen:
        seen.add(cls)
        for info in cls.model_fields.values():
            waiting = [info.annotation]
            while waiting:
                found = waiting.pop()
                waiting.extend(get_args(found))
                if isinstance(found, type) and issubclass(found, BaseModel):
                    _models(found, seen)
    return seen


@pytest.mark.parametrize(("name", "cls"), ALL, ids=_names)
def test_a_field_that_may_be_null_may_be_left_out(name: tuple[str, int], cls: type[Event]) -> None:
    # encode() leaves nulls out, so a nullable field without a default would be unreadable
    faults = [
        f"{model.__name__}.{field}"
        for model in _models(cls, set())
        for field, info in model.model_fields.items()
        if type(None) in get_args(info.annotation) and info.is_required()
    ]
    assert faults == []


def test_two_classes_of_one_type_and_version_are_refused() -> None:
    with pytest.raises(ContractError, match=r"declared twice.*give one of them another"):

        class Again(Event, type="order.created", version=1):
            pass


@given(st.binary(max_size=200), st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=50)), max_size=12))
def test_unreadable_records_are_refused_with_a_reason_and_nothing_else(value: bytes, headers: Any) -> None:
    with pytest.raises(ContractError) as refused:
        decode(headers, value)
    assert refused.value.reason


def test_a_field_that_is_not_known_is_ignored_in_our_events_and_refused_in_inbound_ones() -> None:
    ours = examples()["order.created", 1]
    record = encode(ours, event_id=uuid4(), source="/t", time=NOW)
    assert decode(record.headers, record.value[:-1] + b',"novelty":1}').event == ours
    inbound = encode(examples()["order.submitted", 1], event_id=uuid4(), source="/t", time=NOW)
    with pytest.raises(ContractError, match="novelty"):
        decode(inbound.headers, inbound.value[:-1] + b',"novelty":1}')


def test_too_large_an_event_is_refused_where_it_is_made() -> None:
    event = examples()["order.created", 1].model_copy(deep=True)
    event.order.attributes["x"] = "y" * 1_000_001  # type: ignore[attr-defined]
    with pytest.raises(ContractError, match="over the limit"):
        encode(event, event_id=uuid4(), source="/t", time=NOW)


OBJECT: dict[str, Any] = {
    "type": "object",
    "required": ["a"],
    "properties": {"a": {"type": "string", "maxLength": 5}, "b": {"enum": ["x", "y"]}},
}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"properties": {**OBJECT["properties"], "c": {"type": "integer"}}}, ""),
        ({"properties": {**OBJECT["properties"], "a": {"type": "string", "maxLength": 9}}}, ""),
        ({"properties": {"a": OBJECT["properties"]["a"]}}, "b was removed"),
        ({"required": ["a", "b"]}, "b became required"),
        ({"required": []}, "a is no longer always there"),
        ({"properties": {**OBJECT["properties"], "a": {"type": "integer"}}}, "type changed"),
        ({"properties": {**OBJECT["properties"], "a": {"type": "string", "maxLength": 4}}}, "tighter"),
        ({"properties": {**OBJECT["properties"], "b": {"enum": ["x", "y", "z"]}}}, "enum changed"),
    ],
)
def test_incompatible_changes_are_found(change: dict[str, Any], found: str) -> None:
    faults = incompatibilities(OBJECT, {**OBJECT, **change})
    assert bool(faults) == bool(found)
    assert found in " ".join(faults)


def test_a_schema_is_compatible_with_itself() -> None:
    for _, cls in ALL:
        assert incompatibilities(schema(cls), schema(cls)) == []


@given(st.integers(-(10**12), 10**12), st.sampled_from(["EUR", "JPY", "BHD", "USD", "CLF"]))
def test_money_goes_to_text_and_back(minor: int, currency: str) -> None:
    money = Money.of(minor, currency)
    assert money.minor == minor
    assert Money(amount=money.amount, currency=currency) == money
    assert from_minor(minor, currency).rpartition(".")[2].__len__() == exponent(currency) or exponent(currency) == 0


@pytest.mark.parametrize(("amount", "currency"), [("1.005", "EUR"), ("1.5", "JPY"), ("1", "XXX"), ("1", "ZZZ")])
def test_money_finer_than_its_currency_or_in_no_currency_is_refused(amount: str, currency: str) -> None:
    with pytest.raises(ValueError, match=r"decimals|currency"):
        Money(amount=amount, currency=currency)


def test_minor_units_are_exact() -> None:

    assert to_minor(Decimal("12.50"), "EUR") == 1250
