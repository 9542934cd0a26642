"""A claim on its way from the tables to the runner."""

from dataclasses import dataclass

from hub.events.envelope import Envelope
from hub.journal.interface import Claim, RunId, Step
from hub.journal.rows import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A claim whose event is still a row."""

    run: RunId
    token: int
    handler: str
    lane: str
    attempt: int
    steps: tuple[Step, ...]
    event: Row
    waited_for: tuple[str, str] | None = None
    """The (type, subject) that it waited for in vain, where the engine counts waits in memory."""

    def with_event(self, event: Envelope) -> Claim:
        """Return the claim, its event having been read."""
        return Claim(
            run=self.run,
            token=self.token,
            envelope=event,
            handler=self.handler,
            lane=self.lane,
            attempt=self.attempt,
            steps=self.steps,
        )
