"""Sequences of events as a log takes them: each event once, and an answer for every mention."""

from collections.abc import Mapping, Sequence

from hub.bus.interface import Duplicate, Receipt, Stored
from hub.errors import Conflicting
from hub.events.envelope import Envelope


def distinct(events: Sequence[Envelope]) -> dict[tuple[str, str], Envelope]:
    """Return the events by source and id, each once.

    Raises Conflicting where two of them have one id and different bodies.
    """
    once: dict[tuple[str, str], Envelope] = {}
    for event in events:
        first = once.setdefault((event.source, event.id), event)
        if first.data != event.data:
            raise Conflicting("two events of the sequence have one id and different bodies")
    return once


def with_twins(
    events: Sequence[Envelope], receipts: Mapping[tuple[str, str], Receipt]
) -> Sequence[Receipt]:
    """Return a receipt for every event: one that came twice is a duplicate the second time."""
    answered: set[tuple[str, str]] = set()
    answers: list[Receipt] = []
    for event in events:
        name = (event.source, event.id)
        receipt = receipts[name]
        if name in answered and isinstance(receipt, Stored):
            receipt = Duplicate(position=receipt.position)
        answered.add(name)
        answers.append(receipt)
    return answers
