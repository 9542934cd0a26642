"""CloudEvents on the wire: HTTP and Kafka, binary and structured, and HTTP batches.

The only module that imports the CloudEvents SDK. The SDK does the header names and their encoding.
It gets strings and bytes that were checked before, for where something is missing it invents it
(an id, a time), and where something is wrong it passes it on or raises what it likes.

HTTP: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md,
Kafka: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from cloudevents.core.base import BaseCloudEvent, EventFactory
from cloudevents.core.bindings import http, kafka
from cloudevents.core.formats.base import Format
from cloudevents.core.v1.event import CloudEvent

from hub.errors import Malformed, UnsupportedMedia
from hub.events import types
from hub.events.attributes import NAMES, checked
from hub.events.envelope import Envelope
from hub.events.json_format import is_json, read_event, write_event
from hub.events.strict_json import check, split_array

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"

MAX_BATCH = 1000
"""Events in one request: they are stored all or none, in one commit."""

_VERSION = "1.0"
_REQUIRED = ("specversion", "id", "source", "type")
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpMessage:
    """An event as an HTTP request or response carries it; header names in lower case."""

    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaMessage:
    """An event as a Kafka record carries it."""

    key: bytes
    headers: tuple[tuple[str, bytes], ...]
    value: bytes


class _WireEvent(CloudEvent):
    """An event between the SDK and us, as text and bytes."""

    def __init__(self, attributes: dict[str, Any], data: Any = None) -> None:
        # Not the SDK's constructor: it makes up an id and a time, and reads `time` as a datetime,
        # which loses how the sender wrote it.
        self._attributes = dict(attributes)
        self._data = data


class _Format(Format):
    """The SDK's place for a format: ours leaves the data alone."""

    def read(self, event_factory: EventFactory | None, data: str | bytes) -> BaseCloudEvent:
        attributes, content = read_event(data.encode() if isinstance(data, str) else data)
        return (event_factory or _WireEvent)(attributes, content)

    def write(self, event: BaseCloudEvent) -> bytes:
        return write_event(event.get_attributes(), self.write_data(event.get_data(), None))

    def write_data(self, data: Any, _datacontenttype: str | None) -> bytes:
        return bytes(data)

    def read_data(self, body: bytes, _datacontenttype: str | None) -> bytes:
        return body

    def get_content_type(self) -> str:
        return STRUCTURED


_FORMAT = _Format()


def to_http(event: Envelope) -> HttpMessage:
    """Write an event in binary mode: attributes as `ce-` headers, the data as it is."""
    message = http.to_binary(_WireEvent(_attributes_of(event), event.data), _FORMAT)
    return HttpMessage(headers=message.headers, body=message.body)


def to_structured(event: Envelope) -> HttpMessage:
    """Write an event in structured mode: one JSON object, the data as it is where it is JSON."""
    message = http.to_structured(_WireEvent(_attributes_of(event), event.data), _FORMAT)
    return HttpMessage(headers=message.headers, body=message.body)


def to_kafka(event: Envelope) -> KafkaMessage:
    """Write an event in binary mode, keyed by its `partitionkey`.

    What came from GitHub also gets the plain header that Backstage's Kafka events module routes by.
    """
    record = kafka.to_binary(_WireEvent(_attributes_of(event), event.data), _FORMAT)
    headers = dict(record.headers)
    if event.type.startswith(types.GITHUB):
        headers["x-github-event"] = event.type.split(".")[2].encode()
    return KafkaMessage(
        key=event.partitionkey.encode(), headers=tuple(headers.items()), value=record.value
    )


def from_http(headers: Mapping[str, str], body: bytes) -> tuple[Envelope, ...]:
    """Read the event, or the batch of events, in an HTTP message.

    Header names are in lower case. Raises Malformed naming the attribute that is wrong, and
    UnsupportedMedia for a format other than JSON.
    """
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media == BATCH:
        return _from_batch(body)
    if media == STRUCTURED:
        return (_from_structured(body),)
    if media.startswith("application/cloudevents"):
        raise UnsupportedMedia("the only event format taken is JSON")
    return (_from_binary(headers, body),)


def from_kafka(headers: Iterable[tuple[str, bytes]], key: bytes | None, value: bytes) -> Envelope:
    """Read the event in a Kafka record, binary or structured.

    The record's key is the `partitionkey` where the event has none. Raises Malformed.
    """
    try:
        decoded = [(name, text.decode()) for name, text in headers]
        default = None if key is None else key.decode()
    except (UnicodeDecodeError, AttributeError) as error:
        raise Malformed("the record's key or one of its headers is not UTF-8") from error
    sent = dict(decoded)
    if len({name.lower() for name in sent}) != len(decoded):
        raise Malformed("a header of the record comes twice")
    if sent.get("content-type", "").startswith(STRUCTURED):
        return _from_structured(value, key=default)
    if "ce_datacontenttype" in sent:
        raise Malformed("datacontenttype is not in the content-type header")
    time = sent.pop("ce_time", None)
    record = kafka.KafkaMessage({name: text.encode() for name, text in sent.items()}, None, value)
    return _envelope(kafka.from_binary(record, _FORMAT, _WireEvent), time=time, key=default)


def _from_batch(body: bytes) -> tuple[Envelope, ...]:
    elements = split_array(body)
    if len(elements) > MAX_BATCH:
        raise Malformed(f"the batch has more than {MAX_BATCH} events")
    events = []
    for number, element in enumerate(elements, start=1):
        try:
            events.append(_from_structured(element))
        except Malformed as error:
            raise Malformed(f"event {number} of the batch: {error}") from error
    return tuple(events)


def _from_structured(body: bytes, *, key: str | None = None) -> Envelope:
    event = http.from_structured(http.HTTPMessage({}, body), _FORMAT, _WireEvent)
    return _envelope(event, time=event.get_attributes().get("time"), key=key)


def _from_binary(headers: Mapping[str, str], body: bytes) -> Envelope:
    sent = {name: value for name, value in headers.items() if name.startswith("ce-")}
    if "ce-datacontenttype" in sent:
        raise Malformed("datacontenttype is not in the content-type header")
    sent = {name: _plain(name, value) for name, value in sent.items()}
    time = sent.pop("ce-time", None)
    media = headers.get("content-type", "application/json")
    if body and is_json(media):
        check(body)
    message = http.HTTPMessage({**sent, "content-type": media}, body)
    event = http.from_binary(message, _FORMAT, _WireEvent)
    return _envelope(event, time=None if time is None else unquote(time))


def _plain(name: str, value: str) -> str:
    """Take a header's quotes off; what stays must be ASCII, and percent-encoded UTF-8."""
    if value[:1] == '"' and value[-1:] == '"':
        value = _ESCAPED.sub(r"\1", value[1:-1])
    try:
        value.encode("ascii")
        unquote(value, errors="strict")
    except UnicodeError as error:
        raise Malformed(f"{_safe(name)} is not ASCII with percent-encoded UTF-8") from error
    return value


def _safe(name: str) -> str:
    attribute = name.removeprefix("ce-")
    return attribute if attribute in NAMES else "an extension attribute"


def _attributes_of(event: Envelope) -> dict[str, Any]:
    attributes = {
        "specversion": _VERSION,
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": event.time,
        "datacontenttype": event.datacontenttype,
        "dataschema": event.dataschema,
        "partitionkey": event.partitionkey,
        "traceparent": event.traceparent,
        "hubhops": str(event.hubhops) if event.hubhops else None,
        "hubkey": event.hubkey,
        **dict(checked(event).extensions),
    }
    return {name: value for name, value in attributes.items() if value is not None}


def _envelope(event: Any, *, time: str | None, key: str | None = None) -> Envelope:
    sent: dict[str, str] = event.get_attributes()
    for name in _REQUIRED:
        if not sent.get(name):
            raise Malformed(f"{name} is missing")
    if sent["specversion"] != _VERSION:
        raise Malformed(f"specversion is not {_VERSION}")
    return checked(
        Envelope(
            id=sent["id"],
            source=sent["source"],
            type=sent["type"],
            subject=sent.get("subject"),
            time=time,
            datacontenttype=sent.get("datacontenttype", "application/json"),
            dataschema=sent.get("dataschema"),
            partitionkey=sent.get("partitionkey", sent["source"] if key is None else key),
            traceparent=sent.get("traceparent"),
            hubhops=_hops(sent.get("hubhops", "0")),
            hubkey=sent.get("hubkey"),
            extensions=tuple((name, text) for name, text in sent.items() if name not in NAMES),
            data=event.get_data(),
        )
    )


def _hops(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len("2147483647")):
        raise Malformed("hubhops is not a count")
    return int(text)
