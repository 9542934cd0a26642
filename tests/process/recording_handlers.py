"""A user's handlers: one that writes down every push it is given."""

import os

from hub.dispatch import Do, on
from hub.events.github import Push


@on(Push)
async def record(push: Push, do: Do) -> None:
    """Write a line with the key, the commit and the event's id; one write, so that none is torn."""
    line = f"{do.event.partitionkey} {push.after} {do.event.id}\n"
    file = os.open(os.environ["RECORD_FILE"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


HANDLERS = (record,)
