"""Events as records of Kafka, and back."""

import asyncio
from dataclasses import dataclass

from aiokafka import ConsumerRecord
from zstandard import CONTENTSIZE_UNKNOWN, ZstdDecompressor, ZstdError, get_frame_parameters

from hub.bus.bodies import PLAIN_BYTES, Packer
from hub.errors import Malformed
from hub.events.codec import from_kafka, to_kafka
from hub.events.envelope import Envelope

Raw = ConsumerRecord[bytes, bytes]
"""A record as it was read. Key and value may be missing."""

Headers = tuple[tuple[str, bytes], ...]

LARGEST_BODY_BYTES = 26 * 1024 * 1024
"""What a packed body may unpack to: what every door lets in, and no bomb."""

ENCODING = ("content-encoding", b"zstd")
"""Says that the body is packed, in the words of HTTP."""

_RECORD_OVERHEAD = 128
_HEADER_OVERHEAD = 10
"""Bytes that the format adds at most: https://kafka.apache.org/documentation/#messageformat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A record on its way to a topic."""

    topic: str
    key: bytes | None
    headers: Headers
    value: bytes

    @property
    def size(self) -> int:
        """The bytes it takes in a batch of its own, and not less."""
        headers = sum(len(name) * 4 + len(text) + _HEADER_OVERHEAD for name, text in self.headers)
        return _RECORD_OVERHEAD + len(self.key or b"") + headers + len(self.value)


class MessageWriter:
    """Makes messages of events."""

    def __init__(self, *, packed: bool) -> None:
        """Bodies are written as they are, or `packed` with zstd."""
        self._packer = Packer() if packed else None

    async def write(self, event: Envelope, *, topic: str) -> Message:
        """Return the event for a topic. Raises Malformed where an attribute breaks its rule."""
        record = to_kafka(event)
        headers, value = record.headers, record.value
        if self._packer is not None:
            headers = (*headers, ENCODING)
            value = await self._packed(self._packer, value)
        return Message(topic=topic, key=record.key, headers=headers, value=value)

    async def _packed(self, packer: Packer, value: bytes) -> bytes:
        if len(value) <= PLAIN_BYTES:
            return packer.pack(value)
        # A packer is for one thread only.
        return await asyncio.to_thread(lambda: Packer().pack(value))


async def read_message(raw: Raw) -> Envelope:
    """Return the event in a record. Raises Malformed where there is none."""
    value = raw.value or b""
    if ENCODING in raw.headers:
        value = await _unpacked(value)
    return from_kafka(raw.headers, raw.key, value)


def size_of(raw: Raw) -> int:
    """Return about how much memory a record takes."""
    return len(raw.value or b"") + _RECORD_OVERHEAD


async def _unpacked(value: bytes) -> bytes:
    if len(value) <= PLAIN_BYTES:
        return _unpack(value)
    return await asyncio.to_thread(_unpack, value)


def _unpack(value: bytes) -> bytes:
    try:
        # A frame that says its size is unpacked to that size, whatever limit one gives.
        size = get_frame_parameters(value).content_size
        if LARGEST_BODY_BYTES < size != CONTENTSIZE_UNKNOWN:
            raise Malformed(f"the body unpacks to more than {LARGEST_BODY_BYTES} bytes")
        return ZstdDecompressor().decompress(value, max_output_size=LARGEST_BODY_BYTES)
    except ZstdError as error:
        raise Malformed("the body is not zstd, or unpacks to too much") from error
