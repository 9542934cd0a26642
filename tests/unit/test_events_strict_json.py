"""JSON is read strictly, and cut into parts that are to the byte what stood there."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from hub.errors import Malformed
from hub.events.strict_json import Members, check, read, split_array, split_object

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
    for reader in (
        check,
        split_object,
        split_array,
        lambda one: read(Shape, one),
        Members(Shape).read,
    ):
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


PADDING = b", ".join([b'{"id": 1, "sizes": [[]]}'] * 2_000)
"""What makes a body large: an array of objects."""


@pytest.mark.parametrize("padding", [b"", PADDING], ids=["small", "large"])
def test_members_are_read_one_level_deep(padding: bytes) -> None:
    body = (
        b'{"thing": {"name": "a", "sizes": [1], "more": {}}, "many": ['
        + padding
        + b'], "ref": "r",'
        b' "empty": null, "misfit": {"sizes": [1]}, "number": 7, "mixed": [{}, 1]}'
    )
    members = Members(Shape).read(body)
    assert members["thing"] == Shape(name="a", sizes=[1])
    assert (members["ref"], members["empty"]) == ("r", None)
    for other in ("many", "misfit", "number", "mixed"):
        assert members[other] is not None
        assert not isinstance(members[other], Shape | str)


@pytest.mark.parametrize("padding", [b"", PADDING], ids=["small", "large"])
@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (b'"a": 1, "a": 1', "twice"),
        (b'"a": {}, "\\u0061": {}', "twice"),
        (b'"a": [], "b": {"c": NaN}', "not valid JSON"),
        (b'"a": -Infinity', "not valid JSON"),
        (b'"a": "\\ud800"', "not a JSON object"),
        (b'"a": 1,', "not a JSON object"),
        (b", ".join(b'"%d": 1' % number for number in range(1_001)), "more than 1000"),
    ],
    ids=range(7),
)
def test_members_of_what_two_could_read_in_two_ways_are_malformed(
    wrong: bytes, complaint: str, padding: bytes
) -> None:
    with pytest.raises(Malformed, match=complaint):
        Members(Shape).read(b'{"many": [' + padding + b"], " + wrong + b"}")


def test_members_of_what_is_no_object_are_malformed() -> None:
    for body in (b"[]", b"1", b'"{"', b"null", b"[" + PADDING + b"]"):
        with pytest.raises(Malformed, match="not a JSON object"):
            Members(Shape).read(body)
