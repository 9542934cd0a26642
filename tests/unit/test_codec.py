"""Events come off the wire as they went onto it, whichever wire and mode."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import Malformed
from hub.events.attributes import NAMES, checked, is_text
from hub.events.codec import from_http, from_kafka, to_http, to_kafka, to_structured
from hub.events.envelope import Envelope

DATA = Path(__file__).parents[1] / "data"
CLOUDEVENTS = DATA / "cloudevents"
SCHEMA = json.loads((CLOUDEVENTS / "spec/cloudevents.json").read_text())

texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=40)
uris = st.from_regex(
    r"[a-z]{1,8}:(//[a-z.]{1,9})?(/([A-Za-z0-9._~!$&'()*+,;=:@-]|%2F)*)*", fullmatch=True
)
envelopes = st.builds(
    Envelope,
    id=texts.filter(str.isprintable),
    source=uris,
    type=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,40}", fullmatch=True),
    partitionkey=texts.filter(is_text),
    data=st.binary(max_size=60) | st.sampled_from([b"null", b'{"a": 1.0}', b'"x"', b" [1e400] "]),
    subject=st.none() | texts.filter(is_text),
    time=st.none()
    | st.sampled_from(["2026-03-02T10:00:00Z", "2026-03-02t10:00:00.123456789+01:30"]),
    datacontenttype=st.sampled_from(
        [
            "application/json",
            "application/json; charset=utf-8",
            "text/plain",
            "a/b+json",
            "image/png",
        ]
    ),
    dataschema=st.none() | uris,
    traceparent=st.none() | st.just("00-" + "a" * 32 + "-" + "b" * 16 + "-01"),
    hubhops=st.integers(0, 2**31 - 1),
    hubkey=st.none() | st.just("github/main"),
    extensions=st.dictionaries(
        st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True).filter(lambda name: name not in NAMES),
        texts.filter(is_text),
        max_size=4,
    ).map(lambda extensions: tuple(extensions.items())),
)


def is_fit(event: Envelope) -> bool:
    try:
        return checked(event) is event
    except Malformed:
        return False


fit = envelopes.filter(is_fit)


def check_schema(event: dict[str, Any]) -> None:
    """Judge an event by the official schema, as far as that schema goes: it has no nesting."""
    kinds: dict[str, type | tuple[type, ...]] = {
        "string": str,
        "null": type(None),
        "object": dict,
        "number": (int, float),
        "array": list,
        "boolean": bool,
    }
    assert set(SCHEMA["required"]) <= set(event)
    for name, value in event.items():
        if name in SCHEMA["properties"]:
            rule = SCHEMA["definitions"][SCHEMA["properties"][name]["$ref"].rpartition("/")[2]]
            allowed = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
            assert any(isinstance(value, kinds[kind]) for kind in allowed), name
            assert len(str(value)) >= rule.get("minLength", 0), name


@settings(deadline=None)
@given(fit)
def test_an_event_survives_every_wire_as_it_was(event: Envelope) -> None:
    record = to_kafka(event)
    assert from_kafka(record.headers, record.key, record.value) == event
    assert record.value == event.data
    assert record.key.decode() == event.partitionkey
    whole = to_structured(event)
    assert from_http(whole.headers, whole.body) == (event,)
    assert (
        from_kafka([("content-type", b"application/cloudevents+json")], None, whole.body) == event
    )


@settings(deadline=None)
@given(fit)
def test_an_event_survives_http_headers(drawn: Envelope) -> None:
    event = replace(drawn, datacontenttype="image/png")
    message = to_http(event)
    assert message.body == event.data
    assert from_http(message.headers, message.body) == (event,)


@settings(deadline=None)
@given(fit)
def test_headers_are_ascii_and_structured_events_obey_the_official_schema(event: Envelope) -> None:
    for name, value in to_http(event).headers.items():
        assert re.fullmatch(r"ce-[a-z0-9]+|content-type", name)
        assert value.isascii()
        assert value.isprintable()
    check_schema(json.loads(to_structured(event).body))


def test_json_data_is_spliced_and_other_data_packed() -> None:
    event = Envelope(id="1", source="/s", type="t", partitionkey="k", data=b'{ "b":1.0 }')
    assert b'"data":{ "b":1.0 }' in to_structured(event).body
    broken = Envelope(id="1", source="/s", type="t", partitionkey="k", data=b'{"b"')
    assert json.loads(to_structured(broken).body)["data_base64"] == "eyJiIg=="


def test_a_github_event_on_kafka_says_its_kind_in_a_plain_header() -> None:
    event = Envelope(
        id="1", source="/s", type="com.github.pull_request.opened", partitionkey="k", data=b"{}"
    )
    assert dict(to_kafka(event).headers)["x-github-event"] == b"pull_request"
    assert from_kafka(to_kafka(event).headers, None, b"{}") == event


def test_nothing_unfit_is_ever_written() -> None:
    event = Envelope(id="1", source="/s", type="t", partitionkey="k", data=b"")
    for unfit in (
        replace(event, type="a\r\nx: y"),
        replace(event, id=""),
        replace(event, extensions=(("UP", "x"),)),
    ):
        for write in (to_http, to_structured, to_kafka):
            with pytest.raises(Malformed):
                write(unfit)


REQUIRED = [("ce_specversion", b"1.0"), ("ce_id", b"1"), ("ce_source", b"/s"), ("ce_type", b"t")]


def test_a_record_without_a_partition_key_is_ordered_by_its_own_key_else_its_source() -> None:
    assert from_kafka(REQUIRED, b"k", b"").partitionkey == "k"
    assert from_kafka(REQUIRED, None, b"").partitionkey == "/s"
    assert from_kafka([*REQUIRED, ("ce_partitionkey", b"p")], b"k", b"").partitionkey == "p"


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ([], None),
        (REQUIRED[1:], None),
        ([*REQUIRED, ("ce_subject", b"\xff")], None),
        ([*REQUIRED, ("ce_subject", b"")], None),
        ([*REQUIRED, ("ce_time", b"now")], None),
        ([*REQUIRED, ("ce_datacontenttype", b"a/b")], None),
        ([*REQUIRED, ("ce_a", b"x"), ("ce_A", b"x")], None),
        ([*REQUIRED, ("ce_id", b"2")], None),
        ([*REQUIRED, ("ce_a-b", b"x")], None),
        (REQUIRED, b"\xff"),
    ],
)
def test_a_record_that_is_no_event_is_malformed(
    headers: list[tuple[str, bytes]], key: bytes | None
) -> None:
    with pytest.raises(Malformed):
        from_kafka(headers, key, b"{}")


# The conformance suites: https://github.com/cloudevents/conformance and the specification's own
# examples. What is judged is what they state, and that each event comes back over every wire.


def scenarios(feature: str) -> Iterator[str]:
    """Yield each scenario of a feature, its outline filled in."""
    for scenario in re.split(r"Scenario(?: Outline)?:", feature)[1:]:
        steps, _, examples = scenario.partition("Examples:")
        rows = re.findall(r"\| (\S.*\S) +\|", examples)[1:]
        yield from (steps.replace("<contentType>", row) for row in rows or [""])


def table(text: str) -> dict[str, str]:
    rows = re.findall(r"\| +(\S+) +\| (\S.*?) +\|", text)
    return {name: value for name, value in rows if name != "key"}


def quoted(text: str) -> str:
    return "\n".join(line[8:] for line in text.split('"""')[1].split("\n"))[1:].rstrip()


def stated(event: Envelope) -> dict[str, str | None]:
    names = ("id", "type", "source", "time", "datacontenttype")
    return {"specversion": "1.0", **{name: getattr(event, name) for name in names}}


HTTP = (CLOUDEVENTS / "conformance/features/http-protocol-binding.feature").read_text()
KAFKA = (CLOUDEVENTS / "conformance/features/kafka-protocol-binding.feature").read_text()


@pytest.mark.parametrize("scenario", list(scenarios(HTTP)))
def test_the_conformance_of_http(scenario: str) -> None:
    given_, _, then = scenario.partition("When parsed as HTTP request")
    head, _, body = quoted(given_).partition("\n\n")
    headers = dict(line.split(": ", 1) for line in head.split("\n")[1:])
    sent = {name.lower(): value for name, value in headers.items()}
    (event,) = from_http(sent, body.encode())
    assert stated(event) == table(then)
    assert json.loads(event.data) == json.loads(quoted(then))


@pytest.mark.parametrize("scenario", list(scenarios(KAFKA)))
def test_the_conformance_of_kafka(scenario: str) -> None:
    given_, _, then = scenario.partition("When parsed as Kafka message")
    payload, _, headers = given_.partition("And Kafka headers:")
    sent = [(name, value.encode()) for name, value in table(headers).items()]
    event = from_kafka(sent, None, quoted(payload).encode())
    assert stated(event) == table(then)
    assert json.loads(event.data) == json.loads(quoted(then))


def test_both_features_were_found() -> None:
    assert (len(list(scenarios(HTTP))), len(list(scenarios(KAFKA)))) == (4, 3)


YAML = (CLOUDEVENTS / "conformance/yaml/v1.0/v1_minimum.yaml").read_text()


@pytest.mark.parametrize(
    "document", list(yaml.safe_load_all(YAML)), ids=lambda one: one["ContextAttributes"]["id"]
)
def test_the_conformance_events_come_back_over_every_wire(document: dict[str, Any]) -> None:
    attributes, data = document["ContextAttributes"], document["Data"].encode()
    headers = {f"ce-{name}": str(value) for name, value in attributes.items()}
    media = headers.pop("ce-datacontenttype")
    (event,) = from_http({**headers, "content-type": media}, data)
    assert (event.id, event.type, event.source) == (
        attributes["id"],
        attributes["type"],
        attributes["source"],
    )
    assert (event.datacontenttype, event.data) == (media, data)
    for message in (to_http(event), to_structured(event)):
        assert from_http(message.headers, message.body) == (event,)
    record = to_kafka(event)
    assert from_kafka(record.headers, record.key, record.value) == event
    check_schema(json.loads(to_structured(event).body))


EXAMPLES = [
    one
    for one in json.loads((CLOUDEVENTS / "spec/examples.json").read_text())
    if one["text"].lstrip().startswith(("{", "[")) and "..." not in one["text"]
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one["source"][-4:])
def test_the_specifications_examples_come_back_over_every_wire(example: dict[str, str]) -> None:
    written = json.loads(example["text"])
    (event,) = from_http({"content-type": "application/cloudevents+json"}, example["text"].encode())
    assert (event.id, event.time) == (written["id"], written["time"])
    assert dict(event.extensions) == {"comexampleextension1": "value", "comexampleothervalue": "5"}
    if event.datacontenttype == "application/json":
        assert json.loads(event.data) == written["data"]
    else:
        assert event.data.decode() == written["data"]
    for message in (to_http(event), to_structured(event)):
        assert from_http(message.headers, message.body) == (event,)
    record = to_kafka(event)
    assert from_kafka(record.headers, record.key, record.value) == event


def test_the_specifications_examples_were_found() -> None:
    assert len(EXAMPLES) == 3


@pytest.mark.parametrize(
    ("text", "header"),
    [("Euro € \U0001f600", "Euro%20%E2%82%AC%20%F0%9F%98%80"), ('a"%b', "a%22%25b")],
)
def test_header_values_are_percent_encoded_as_specified(text: str, header: str) -> None:
    event = Envelope(id="1", source="/s", type="t", partitionkey="k", data=b"", subject=text)
    message = to_http(event)
    assert message.headers["ce-subject"] == header
    assert from_http(message.headers, b"") == (event,)
