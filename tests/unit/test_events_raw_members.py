"""The quick look at a JSON object lets nothing pass that the thorough reading does not."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from hub.errors import Malformed
from hub.events.raw_members import raw_members
from hub.events.strict_json import Members

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)


class Anything(BaseModel):
    """Whatever an object holds."""


def refusal(body: bytes) -> str | None:
    """What the thorough reading says against it."""
    try:
        Members(Anything).read(body)
    except Malformed as error:
        return str(error)
    return None


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=8), values), st.booleans(), st.sampled_from([None, 1]))
def test_the_members_are_to_the_byte_what_stood_there(
    whole: dict[str, object],
    ascii_only: bool,  # noqa: FBT001 - drawn
    indent: int | None,
) -> None:
    separators = (",", ":") if indent is None else None
    text = json.dumps(whole, ensure_ascii=ascii_only, indent=indent, separators=separators)
    body = text.replace("Infinity", "1").replace("NaN", "2").encode()
    members = raw_members(body)
    assert {name: json.loads(bytes(raw)) for name, raw in members.items()} == json.loads(body)
    assert all(bytes(raw) in body for raw in members.values())


@settings(deadline=None, max_examples=500)
@given(
    st.binary(max_size=40)
    | st.text('{}[]":,0eE.-\\udD8cC1tru', max_size=20).map(
        lambda inner: b'{"a":' + inner.encode() + b"}"
    )
    | st.text('\\udD8cCfF01"n', max_size=14).map(lambda inner: b'{"a":"' + inner.encode() + b'"}')
)
def test_what_passes_here_passes_there(body: bytes) -> None:
    try:
        raw_members(body)
    except Malformed:
        return
    assert refusal(body) is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":1}',
        b'{"a":NaN}',
        b'{"a":[-Infinity]}',
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\\ud800"}',
        b'{"a":"\\udc00"}',
        b'{"a":"\\udc00\\ud800"}',
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":' + b"9" * 4_400 + b"}",
        b'{"a":' + b"[" * 201 + b"]" * 201 + b"}",
        b'{"a":' + b'{"b":[0],"c":' * 201 + b"1" + b"}" * 201 + b"}",
        b'{"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
        b'{"a":[1,' + b"[" * 199 + b"0," * 20_000 + b"0" + b"]" * 199 + b"]}",
        b'{"a":{"b":' + b"[" * 199 + b"0," * 20_000 + b"0" + b"]" * 199 + b"}}",
        b"{" + b",".join(b'"%d":1' % number for number in range(1_001)) + b"}",
        b'{"a":1}\x00',
        b"[1]",
        b"",
    ],
    ids=range(20),
)
def test_what_the_thorough_reading_refuses_is_refused_in_its_words(body: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        raw_members(body)
    assert str(refused.value) == refusal(body)


def test_what_is_only_unusual_passes() -> None:
    deep = b"[" * 198 + b"]" * 198
    many = b"[" + b",".join([b'{"b":[]}'] * 5_000) + b"]"
    for value in (deep, many, b"9" * 4_200, b'"\\ud83d\\ude00"', b'"},{ [ {"', b'"\xc3\xa9"'):
        assert bytes(raw_members(b'{"a":' + value + b',"b":1}')["a"]) == value
