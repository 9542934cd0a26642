"""Which event goes to which topic, and what is to be known of topics. Without I/O."""

from collections.abc import Mapping
from dataclasses import dataclass

from hub.settings import KafkaSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is to be known of topics that are there."""

    largest: Mapping[str, int]
    """Bytes of the largest record that each takes."""
    copies: Mapping[str, int]
    """How many copies of a record must be written before it is acknowledged."""

    @property
    def least(self) -> int:
        """Bytes that every topic takes."""
        return min(self.largest.values())


class Topics:
    """The names of the topics."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._default = settings.topic
        # The longest prefix is the one meant, so it is asked first.
        self._routes = sorted(settings.topics.items(), key=lambda route: -len(route[0]))
        self.names = tuple(sorted({settings.topic, *settings.topics.values()}))

    def of(self, event_type: str) -> str:
        """Return the topic for events of this type."""
        for prefix, topic in self._routes:
            if event_type.startswith(prefix):
                return topic
        return self._default

    @property
    def all(self) -> tuple[str, ...]:
        """Those with the events, and those with the dead letters."""
        return (*self.names, *map(dead_topic, self.names))


def dead_topic(topic: str) -> str:
    """Return where those records of a topic go that are no events."""
    return f"{topic}.dead"
