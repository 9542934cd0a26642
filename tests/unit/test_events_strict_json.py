"""JSON is read strictly, and cut into parts that are to the byte what stood there."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from hub.errors import Malformed
from hub.events.strict_json import check, read, split_array, split_object

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
layouts = st.sampled_from([None, 1, 3])


class Shape(BaseModel):
    name: str
    sizes: list[int] = []


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=8), values, max_size=5), layouts, st.booleans())
def test_an_object_is_cut_into_its_members(
    whole: dict[str, object],
    indent: int | None,
    ascii_only: bool,  # noqa: FBT001 - drawn
) -> None:
    text = json.dumps(whole, indent=indent, ensure_ascii=ascii_only).encode()
    members = split_object(b" \n" + text + b"\t")
    assert {name: json.loads(value) for name, value in members.items()} == whole
    assert all(value in text and value == value.strip() for value in members.values())


@settings(deadline=None)
@given(st.lists(values, max_size=5), layouts)
def test_an_array_is_cut_into_its_elements(whole: list[object], indent: int | None) -> None:
    text = json.dumps(whole, indent=indent).encode()
    assert [json.loads(element) for element in split_array(text + b" ")] == whole


@settings(deadline=None)
@given(st.binary(max_size=60) | st.text('{}[]":,0eE.-ntf\\u "', max_size=20).map(str.encode))
def test_nothing_but_malformed_is_ever_raised(body: bytes) -> None:
    for reader in (check, split_object, split_array, lambda one: read(Shape, one)):
        try:
            reader(body)
        except Malformed:
            continue
        json.loads(body)


@pytest.mark.parametrize(
    "body", [b'{"a": 1, "a": 1}', b'{"a": 1, "\\u0061": 2}', b'{"": 1, "b": 2, "": 3}']
)
def test_a_member_that_comes_twice_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed, match="twice"):
        split_object(body)


def test_what_is_no_object_or_array_is_malformed() -> None:
    for body in (b"[]", b"1", b'"{"', b"null"):
        with pytest.raises(Malformed, match="not an object"):
            split_object(body)
    for body in (b"{}", b"1", b'"["', b"null"):
        with pytest.raises(Malformed, match="not an array"):
            split_array(body)


@pytest.mark.parametrize(
    "body",
    [
        b"NaN",
        b"[Infinity]",
        b"[-Infinity]",
        b"9" * 10_000,
        b"[" * 250 + b"]" * 250,
        b"[" * 100_000,
        b'"\\ud800"',
        b'"\xff"',
        b'\xef\xbb\xbf""',
        b"{'a': 1}",
        b"[1,]",
        b"1 2",
        b"01",
        b"",
    ],
    ids=range(14),
)
def test_what_python_would_let_pass_or_fall_over_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed, match="not valid JSON"):
        check(body)


def test_a_model_names_the_fields_that_are_wrong_and_not_their_values() -> None:
    assert read(Shape, b'{"name": "a", "sizes": [1]}') == Shape(name="a", sizes=[1])
    with pytest.raises(Malformed, match=r"name: .*, sizes\.1: ") as refused:
        read(Shape, b'{"name": ["canary"], "sizes": [1, "canary"]}')
    assert "canary" not in str(refused.value)
    with pytest.raises(Malformed, match="body: "):
        read(Shape, b"[]")
