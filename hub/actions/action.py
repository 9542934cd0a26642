"""The shape every action has, and the call on whose behalf it is performed."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import TypeAdapter

from hub.events.envelope import Envelope
from hub.events.identity import derive_id

R = TypeVar("R")


class Action(ABC, Generic[R]):
    """Something to be done outside, with a result of type `R`.

    Subclasses are frozen dataclasses of plain values. `name` is what the journal, the log and the
    command line call it, `result` is `R` at run time.
    """

    name: ClassVar[str]
    result: ClassVar[Any]
    reads: ClassVar[bool] = False
    """True where it only looks: a dry run then performs it for real."""
    timeout_seconds: ClassVar[float] = 30.0
    """How long it may take before the run is retried."""

    @abstractmethod
    def supposed(self) -> R:
        """Return what a dry run or a test answers in place of the outside world."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Which step of which run an action is performed for."""

    event: Envelope
    handler: str
    step: int
    attempt: int

    @property
    def key(self) -> str:
        """The idempotency key: the same for every attempt at this step."""
        return derive_id(self.event.source, self.event.id, self.handler, str(self.step))


Perform = Callable[[Any, Call], Awaitable[Any]]
"""Does an action for real. Raises TemporaryError or PermanentError, nothing else."""

Performers = Mapping[type[Action[Any]], Perform]


@cache
def _adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)


def encode_action(action: Action[Any]) -> str:
    """Write an action as the JSON that the journal keeps and compares."""
    return _adapter(type(action)).dump_json(action).decode()


def encode_result(action: Action[R], value: R) -> str:
    """Write an action's result as JSON."""
    return _adapter(action.result).dump_json(value).decode()


def decode_result(action: Action[R], text: str) -> R:
    """Read back a journalled result of this action."""
    value: R = _adapter(action.result).validate_json(text)
    return value
