"""Parts of JSON are what a reader of the whole finds there, however deep the rest of it is."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import Malformed
from hub.events.json_parts import elements, members, only, shallow

NAMES = st.sampled_from(["a", "b", "c", '"', "é"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10) | st.just('[{"\\"}]'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner),
    max_leaves=15,
)
OBJECTS = st.dictionaries(NAMES, VALUES)
DEEPER_THAN_ANY_READER = 9_000


def nested(levels: int, inner: str = "1") -> str:
    return '{"a":[' * (levels // 2) + inner + "]}" * (levels // 2)


def found_at(whole: Any, path: str) -> Any:
    for name in path.split("."):
        whole = whole.get(name) if isinstance(whole, dict) else None
    return whole


@settings(deadline=None)
@given(OBJECTS, st.booleans(), st.sampled_from([None, 1]))
def test_parts_are_what_stands_at_their_paths(
    whole: dict[str, Any],
    ascii_only: bool,  # noqa: FBT001 - drawn
    indent: int | None,
) -> None:
    body = json.dumps(whole, ensure_ascii=ascii_only, indent=indent).encode()
    parts = json.loads(only(body, ("a.b", "a.c.a", "b")))
    for path in ("a.b", "a.c.a", "b"):
        assert found_at(parts, path) == found_at(whole, path)
    assert parts.keys() <= {"a", "b"}
    assert {name: json.loads(one) for name, one in members(body).items()} == whole


@settings(deadline=None)
@given(VALUES)
def test_what_is_shallow_stays_as_it_is(value: Any) -> None:
    body = json.dumps(value).encode()
    assert shallow(body) == body


def test_elements_are_what_an_array_holds_and_null_holds_none() -> None:
    assert elements(b'[1, {"a": 2}]') == (b"1", b'{"a": 2}')
    assert elements(b"null") == ()


@pytest.mark.parametrize("levels", [80, 300, 950, 2_000, DEEPER_THAN_ANY_READER])
def test_what_lies_too_deep_hides_nothing_else(levels: int) -> None:
    deep = nested(levels, inner='"]}"')
    body = f'{{"before":"{{[","deep":{deep},"after":[{deep},{{"b":7}}],"last":8}}'.encode()
    assert only(body, ("before", "last")) == b'{"before":"{[","last":8}'
    assert json.loads(elements(members(body)["after"])[1]) == {"b": 7}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[1]", b"null", b'{"a":1', b'{"a":1}}', b'{"a":NaN}', b'{"\xff":1}', b"\xff"],
)
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        only(body, ("a",))


def test_what_is_cut_off_deep_inside_is_refused() -> None:
    with pytest.raises(Malformed):
        members(nested(DEEPER_THAN_ANY_READER)[: DEEPER_THAN_ANY_READER * 4].encode())
