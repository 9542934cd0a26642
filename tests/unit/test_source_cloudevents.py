"""CloudEvents from anybody with a key: what is fit is kept, what is not is named and refused."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import Forbidden, Malformed, UnsupportedMedia
from hub.events.codec import BATCH, MAX_BATCH, STRUCTURED
from hub.events.envelope import Envelope
from hub.sources.cloudevents import take
from hub.sources.interface import Ignored

ATTRIBUTES = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "com.example.sold"}
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def binary(body: bytes = b'{"a": 1}', /, **attributes: str) -> tuple[Envelope, ...] | Ignored:
    media = attributes.pop("content_type", "application/json")
    headers = {f"ce-{name}": value for name, value in {**ATTRIBUTES, **attributes}.items()}
    return take({**headers, "content-type": media}, body, hubkey="events/a")


def structured(**attributes: Any) -> tuple[Envelope, ...] | Ignored:
    body = json.dumps({**ATTRIBUTES, "data": {"a": 1}, **attributes}).encode()
    return take({"content-type": STRUCTURED}, body, hubkey="events/a")


def batch(body: Any) -> tuple[Envelope, ...] | Ignored:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return take({"content-type": f"{BATCH}; charset=utf-8"}, content, hubkey="events/a")


def only(taken: tuple[Envelope, ...] | Ignored) -> Envelope:
    assert not isinstance(taken, Ignored)
    (event,) = taken
    return event


def test_both_modes_give_the_same_event() -> None:
    more = {
        "subject": "order 5",
        "time": "2026-03-02T10:00:00.123456789+01:00",
        "dataschema": "https://example.com/sold.json",
        "partitionkey": "shop-5",
        "traceparent": TRACE,
        "color": "blau ist schön",
    }
    encoded = {**more, "color": "blau%20ist%20sch%C3%B6n"}
    assert only(binary(b'{"a": 1}', **encoded)) == only(structured(**more))
    event = only(structured(**more))
    assert (event.time, event.subject) == (more["time"], "order 5")
    assert (event.partitionkey, event.traceparent) == ("shop-5", TRACE)
    assert event.extensions == (("color", "blau ist schön"),)
    assert event.hubkey == "events/a"


def test_what_is_left_out_is_not_made_up() -> None:
    event = only(binary())
    assert (event.time, event.subject, event.dataschema, event.traceparent) == (None,) * 4
    assert event.partitionkey == event.source
    assert event.extensions == ()


def test_the_data_is_kept_to_the_byte_in_the_middle_of_a_structured_event() -> None:
    data = b'{ "b" : 1.0, "a":[1e400,123456789012345678901234567890,"\\u00e9"] }'
    body = json.dumps(ATTRIBUTES).encode()[:-1] + b', "data" : ' + data + b' , "color":"x"}'
    event = only(take({"content-type": STRUCTURED}, body, hubkey="events/a"))
    assert event.data == data
    assert event.extensions == (("color", "x"),)


@pytest.mark.parametrize("data", ["null", "0", '"text"', "[]", "{}", "false"])
def test_data_may_be_any_json(data: str) -> None:
    body = (json.dumps(ATTRIBUTES)[:-1] + f', "data": {data}}}').encode()
    assert only(take({"content-type": STRUCTURED}, body, hubkey="events/a")).data == data.encode()


def test_data_that_is_no_json_is_text_or_base64() -> None:
    text = structured(datacontenttype="text/plain", data="grün")
    assert only(text).data == "grün".encode()
    packed = json.dumps({**ATTRIBUTES, "datacontenttype": "image/png", "data_base64": "/9j/"})
    assert only(take({"content-type": STRUCTURED}, packed.encode(), hubkey="a/b")).data == (
        b"\xff\xd8\xff"
    )


def test_an_event_may_have_no_data() -> None:
    body = json.dumps(ATTRIBUTES).encode()
    assert only(take({"content-type": STRUCTURED}, body, hubkey="events/a")).data == b""
    assert only(binary(b"")).data == b""


def test_integers_and_booleans_become_their_canonical_text_and_null_is_unset() -> None:
    event = only(structured(count=-5, open=True, shut=False, none=None, subject=None))
    assert event.extensions == (("count", "-5"), ("open", "true"), ("shut", "false"))
    assert event.subject is None


def test_an_unknown_type_is_kept() -> None:
    assert only(binary(type="org.example.Unheard-Of_thing.v9")).type.startswith("org.example")


def test_a_quoted_header_is_unquoted_before_it_is_decoded() -> None:
    assert only(binary(subject=r'"a \"b\" %41 \\"')).subject == 'a "b" A \\'


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("specversion", "0.3"),
        ("specversion", "1"),
        ("specversion", ""),
        ("id", ""),
        ("id", "x" * 129),
        ("id", "a\nb"),
        ("id", "a\u202eb"),
        ("source", ""),
        ("source", "a b"),
        ("source", "/a\r\nx: y"),
        ("source", "//[::1/x"),
        ("source", "/a#b#c"),
        ("source", "/%zz"),
        ("source", "/schön"),
        ("source", "/" + "x" * 1024),
        ("type", ""),
        ("type", "a b"),
        ("type", "a\r\nb"),
        ("type", ".a"),
        ("type", "x" * 256),
        ("time", "yesterday"),
        ("time", "2026-03-02"),
        ("time", "2026-03-02T10:00:00"),
        ("time", "2026-02-30T10:00:00Z"),
        ("time", "2026-03-02 10:00:00Z"),
        ("time", "20260302T100000Z"),
        ("subject", ""),
        ("subject", "a\u0000b"),
        ("subject", "a\u0085b"),
        ("subject", "a\ufffeb"),
        ("subject", "a\U0001ffffb"),
        ("subject", "x" * 1025),
        ("dataschema", "relative"),
        ("datacontenttype", "json"),
        ("traceparent", "00-xyz"),
        ("partitionkey", ""),
        ("color", "x" * 1025),
        ("color", "a\tb"),
    ],
)
def test_a_bad_attribute_is_named_in_both_modes(attribute: str, value: str) -> None:
    with pytest.raises(Malformed, match=attribute):
        structured(**{attribute: value})
    if attribute == "datacontenttype":
        with pytest.raises(Malformed, match=attribute):
            binary(content_type=value)
    else:
        percent = "".join(f"%{octet:02X}" for octet in value.encode())
        with pytest.raises(Malformed, match=attribute):
            binary(**{attribute: percent})


@pytest.mark.parametrize("attribute", ["specversion", "id", "source", "type"])
def test_a_required_attribute_that_is_missing_is_named(attribute: str) -> None:
    with pytest.raises(Malformed, match=attribute):
        structured(**{attribute: None})
    headers = {f"ce-{name}": value for name, value in ATTRIBUTES.items() if name != attribute}
    with pytest.raises(Malformed, match=attribute):
        take(headers, b"{}", hubkey="events/a")


@pytest.mark.parametrize("value", [5, 1.5, True, [], {}, ["1"]])
@pytest.mark.parametrize("attribute", ["id", "source", "type", "time", "subject", "specversion"])
def test_an_attribute_that_is_no_string_is_named(attribute: str, value: Any) -> None:
    with pytest.raises(Malformed, match=attribute):
        structured(**{attribute: value})


@pytest.mark.parametrize("value", [1.5, 2**31, -(2**31) - 1, [], {}, {"a": 1}])
def test_an_extension_of_no_type_that_cloudevents_knows_is_named(value: Any) -> None:
    with pytest.raises(Malformed, match="color"):
        structured(color=value)


@pytest.mark.parametrize(
    "name", ["Color", "co-lor", "co_lor", "x" * 21, "", "f\u00e4rbe", "color\n", "datacontent type"]
)
def test_an_extension_with_no_fit_name_is_refused_without_repeating_it(name: str) -> None:
    with pytest.raises(Malformed, match="extension attribute's name") as refused:
        structured(**{name: "x"})
    assert not name or name not in str(refused.value)


def test_headers_that_are_not_ascii_or_not_utf_8_behind_the_percent_are_malformed() -> None:
    for value in ("schön", "%C0%A0", "%FF", "\udcff"):
        with pytest.raises(Malformed, match="subject"):
            binary(subject=value)
        with pytest.raises(Malformed, match="an extension attribute"):
            binary(color=value)


def test_too_many_extensions_are_malformed() -> None:
    with pytest.raises(Malformed, match="32"):
        structured(**{f"x{number}": "y" for number in range(33)})


def test_the_content_type_has_one_place() -> None:
    with pytest.raises(Malformed, match="datacontenttype"):
        binary(datacontenttype="text/plain")


@pytest.mark.parametrize("body", [b"{", b"NaN", b'{"a": 1, "b"}', b"\xff", b"[" * 300 + b"]" * 300])
def test_data_that_calls_itself_json_is_json(body: bytes) -> None:
    for media in ("application/json", "application/vnd.sold+json; charset=utf-8"):
        with pytest.raises(Malformed, match="JSON"):
            binary(body, content_type=media)
    assert only(binary(body, content_type="application/octet-stream")).data == body


def test_data_twice_or_in_no_base64_or_no_text_is_malformed() -> None:
    for more in (
        {"data_base64": "AA=="},
        {"data": None, "data_base64": "AA=="},
        {"datacontenttype": "text/plain", "data": {"a": 1}},
    ):
        with pytest.raises(Malformed, match="data"):
            structured(**more)
    for packed in ("AA", "*", 5, "ä"):
        body = json.dumps({**ATTRIBUTES, "data_base64": packed}).encode()
        with pytest.raises(Malformed, match="data_base64"):
            take({"content-type": STRUCTURED}, body, hubkey="events/a")


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b'"x"', b"{", b'{"id": "1", "id": "2"}', b"\xff", b"{}"]
)
def test_a_structured_body_that_is_no_event_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        take({"content-type": STRUCTURED}, body, hubkey="events/a")


@pytest.mark.parametrize("media", ["application/cloudevents+xml", "application/cloudevents+avro"])
def test_other_event_formats_are_refused_with_415(media: str) -> None:
    with pytest.raises(UnsupportedMedia):
        take({"content-type": media}, b"<event/>", hubkey="events/a")


def test_a_batch_is_taken_whole() -> None:
    taken = batch([{**ATTRIBUTES, "id": str(number), "data": number} for number in range(3)])
    assert not isinstance(taken, Ignored)
    assert [(event.id, event.data) for event in taken] == [("0", b"0"), ("1", b"1"), ("2", b"2")]


def test_one_bad_event_refuses_the_batch_and_is_numbered() -> None:
    with pytest.raises(Malformed, match=r"event 2 of the batch: id"):
        batch([ATTRIBUTES, {**ATTRIBUTES, "id": 5}, ATTRIBUTES])
    with pytest.raises(Forbidden):
        batch([ATTRIBUTES, {**ATTRIBUTES, "source": "/trunkline/a"}])


def test_an_empty_batch_is_ignored_and_a_huge_one_malformed() -> None:
    assert isinstance(batch([]), Ignored)
    with pytest.raises(Malformed, match=str(MAX_BATCH)):
        batch([ATTRIBUTES] * (MAX_BATCH + 1))


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"[1]", b"[[]]", b"[", b"[null]"])
def test_a_batch_that_is_none_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        batch(body)


@pytest.mark.parametrize(
    "claim",
    [
        {"source": "/trunkline"},
        {"source": "/trunkline/"},
        {"source": "/trunkline/main"},
        {"type": "dev.trunkline.image.bumped.v1"},
        {"hubkey": "github/main"},
        {"hubhops": "1"},
    ],
)
def test_nobody_else_speaks_for_the_hub(claim: dict[str, str]) -> None:
    for mode in (binary, structured):
        with pytest.raises(Forbidden):
            mode(**claim)


@pytest.mark.parametrize("source", ["/trunklines", "https://example.com/trunkline/a", "trunkline"])
def test_a_source_that_only_looks_like_the_hub_is_taken(source: str) -> None:
    assert only(binary(source=source)).source == source


@pytest.mark.parametrize("hops", ["-1", "x", "1.0", "99999999999", "\u0661"])
def test_hops_that_are_no_count_are_malformed(hops: str) -> None:
    with pytest.raises(Malformed, match="hubhops"):
        structured(hubhops=hops)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            [f"ce-{name}" for name in (*ATTRIBUTES, "time", "subject", "color", "x y")]
        ),
        st.text(max_size=60),
    ),
    st.sampled_from(["application/json", "text/plain", STRUCTURED, BATCH, ""]),
    st.binary(max_size=200),
)
def test_nothing_leaves_but_events_and_refusals(
    headers: dict[str, str], media: str, body: bytes
) -> None:
    with suppress(Malformed, Forbidden):
        take({**headers, "content-type": media}, body, hubkey="events/a")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*ATTRIBUTES, "time", "data", "data_base64", "datacontenttype", "color"])
        | st.text(max_size=5),
        json_values,
    )
)
def test_no_structured_event_does_anything_but_be_refused_or_taken(more: dict[str, Any]) -> None:
    with suppress(Malformed, Forbidden):
        structured(**more)
