"""`@on`: a handler is a function, the events that it reads, and its conditions."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, overload

from hub.actions.action import Action
from hub.dispatch.outcome import Skipped
from hub.dispatch.platform import Platform
from hub.events.envelope import Envelope
from hub.events.view import View

A = TypeVar("A", bound=View)
B = TypeVar("B", bound=View)
C = TypeVar("C", bound=View)
D = TypeVar("D", bound=View)
E = TypeVar("E", bound=View)
F = TypeVar("F", bound=View)
V = TypeVar("V", bound=View)
R = TypeVar("R")


class Do(Protocol):
    """What a handler acts with. Live, dry and in tests there are different ones behind it."""

    @property
    def event(self) -> Envelope:
        """The event that is handled."""
        ...

    @property
    def platform(self) -> Platform:
        """What the platform's owners have agreed on."""
        ...

    async def __call__(self, action: Action[R]) -> R:
        """Have an action done, and return its result; one at a time.

        An action that an earlier attempt has done is not done again: its journalled result is
        returned. Raises TemporaryError and PermanentError, which a handler lets through.
        """
        ...


Reaction = Callable[[V, Do], Awaitable[Skipped | None]]
"""A handler's function. It returns Skipped where there is nothing to do, or nothing at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """A reaction with the events it is for."""

    name: str
    summary: str
    views: tuple[type[View], ...]
    react: Reaction[Any]
    when: Callable[[Any], bool] | None = None
    lane: Callable[[Any], str] | None = None

    def view_of(self, event_type: str) -> type[View] | None:
        """Return the view that this handler reads events of a type with, if it wants them."""
        return next((view for view in self.views if event_type in view.types), None)


def _handler(
    views: tuple[type[View], ...],
    when: Callable[[Any], bool] | None,
    lane: Callable[[Any], str] | None,
) -> Callable[[Reaction[Any]], Handler]:
    def make(react: Reaction[Any]) -> Handler:
        summary = (inspect.getdoc(react) or "").partition("\n")[0]
        return Handler(
            name=getattr(react, "__name__", ""),
            summary=summary,
            views=views,
            react=react,
            when=when,
            lane=lane,
        )

    return make


@overload
def on(
    a: type[A],
    /,
    *,
    when: Callable[[A], bool] | None = None,
    lane: Callable[[A], str] | None = None,
) -> Callable[[Reaction[A]], Handler]: ...
@overload
def on(
    a: type[A],
    b: type[B],
    /,
    *,
    when: Callable[[A | B], bool] | None = None,
    lane: Callable[[A | B], str] | None = None,
) -> Callable[[Reaction[A | B]], Handler]: ...
@overload
def on(
    a: type[A],
    b: type[B],
    c: type[C],
    /,
    *,
    when: Callable[[A | B | C], bool] | None = None,
    lane: Callable[[A | B | C], str] | None = None,
) -> Callable[[Reaction[A | B | C]], Handler]: ...
@overload
def on(
    a: type[A],
    b: type[B],
    c: type[C],
    d: type[D],
    /,
    *,
    when: Callable[[A | B | C | D], bool] | None = None,
    lane: Callable[[A | B | C | D], str] | None = None,
) -> Callable[[Reaction[A | B | C | D]], Handler]: ...
@overload
def on(
    a: type[A],
    b: type[B],
    c: type[C],
    d: type[D],
    e: type[E],
    /,
    *,
    when: Callable[[A | B | C | D | E], bool] | None = None,
    lane: Callable[[A | B | C | D | E], str] | None = None,
) -> Callable[[Reaction[A | B | C | D | E]], Handler]: ...
@overload
def on(
    a: type[A],
    b: type[B],
    c: type[C],
    d: type[D],
    e: type[E],
    f: type[F],
    /,
    *,
    when: Callable[[A | B | C | D | E | F], bool] | None = None,
    lane: Callable[[A | B | C | D | E | F], str] | None = None,
) -> Callable[[Reaction[A | B | C | D | E | F]], Handler]: ...
def on(
    *views: type[View],
    when: Callable[[Any], bool] | None = None,
    lane: Callable[[Any], str] | None = None,
) -> Callable[[Reaction[Any]], Handler]:
    """Make a function the handler of the events that these views read.

    `when` narrows them; keep what depends on the settings inside the handler, where `Skipped` can
    say why. `lane` names what the events are ordered with, instead of the event's partition key.
    """
    return _handler(views, when, lane)
