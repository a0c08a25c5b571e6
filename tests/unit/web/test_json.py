"""Strict JSON: what is taken is exactly what was sent; everything else is a refusal, never a crash."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import Problem
from shared.web.body import MAX_DEPTH, MAX_INTEGER, parse_json

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
scalars = st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | texts
values = st.recursive(scalars, lambda v: st.lists(v, max_size=4) | st.dictionaries(texts, v, max_size=4), max_leaves=20)


@given(values)
def test_a_valid_text_is_read_as_json_reads_it(value: Any) -> None:
    for ascii_only in (True, False):
        assert parse_json(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.binary(max_size=200))
@settings(max_examples=500)
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    refused: Problem | None = None
    try:
        parse_json(raw)
    except Problem as refusal:
        refused = refusal
    assert refused is None or refused.status in (400, 422)


def nested(depth: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return opening * depth + b"1" + closing * depth


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_the_depth_limit_is_exact(opening: bytes, closing: bytes) -> None:
    parse_json(nested(MAX_DEPTH, opening, closing))
    with pytest.raises(Problem, match="nested_too_deeply"):
        parse_json(nested(MAX_DEPTH + 1, opening, closing))


def test_many_brackets_side_by_side_are_not_deep() -> None:
    assert len(parse_json(b"[" + b"{}," * 10_000 + b"{}]")) == 10_001


def test_brackets_inside_texts_are_not_deep() -> None:
    assert parse_json(b'"' + b"[" * 100 + b'"') == "[" * 100


@pytest.mark.parametrize(
    "raw", [b"9007199254740991", b"-9007199254740991", b"1e300", b"0.1234567890123456789", b'"\\\\u0000"']
)
def test_what_only_looks_suspect_is_taken(raw: bytes) -> None:
    assert parse_json(raw) == json.loads(raw)


@pytest.mark.parametrize("raw", [b"9007199254740992", b"-9007199254740992", b"1e309", b"-1e999", b"1E0400"])
def test_numbers_beyond_agreement_are_refused(raw: bytes) -> None:
    with pytest.raises(Problem, match="number_out_of_range"):
        parse_json(b'{"a": [' + raw + b"]}")
