"""Records that are no events: kept as they were, with where they came from and what is wrong."""

import structlog

from hub.bus.kafka.messages import Message, Raw
from hub.bus.kafka.sending import Sending
from hub.bus.kafka.topics import dead_topic
from hub.errors import StorageError, TooLargeToStore

_WRITE_SECONDS = 6.0

_log = structlog.get_logger()


class DeadLetters:
    """Writes to the topics of dead letters."""

    def __init__(self, *, sending: Sending) -> None:
        self._sending = sending

    async def write(self, raw: Raw, *, why: str) -> None:
        """Keep a record byte for byte; `why` stands in a header. Raises StorageError."""
        letter = Message(
            topic=dead_topic(raw.topic),
            key=raw.key,
            headers=(
                *((name, text or b"") for name, text in raw.headers),
                ("dead-topic", raw.topic.encode()),
                ("dead-partition", str(raw.partition).encode()),
                ("dead-offset", str(raw.offset).encode()),
                ("dead-reason", why.encode()),
            ),
            value=raw.value or b"",
        )
        await self._send(letter)
        _log.error(
            "record_is_no_event",
            topic=raw.topic,
            partition=raw.partition,
            offset=raw.offset,
            why=why,
            kept_in=letter.topic,
        )

    async def _send(self, letter: Message) -> None:
        try:
            (outcome,) = await self._sending.send([letter], seconds=_WRITE_SECONDS)
            if isinstance(outcome, Exception):
                raise outcome
        except TooLargeToStore as error:
            raise StorageError(f"a dead letter cannot be kept: {error}") from error
