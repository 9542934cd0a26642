"""A kind that is watched, and the source that reads its objects."""

from collections.abc import Callable
from dataclasses import dataclass

from hub.clients.kubernetes import FoundKind
from hub.sources.interface import Seen, Sighting

See = Callable[[Sighting], Seen]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedKind:
    """A kind, in one namespace or in all (None), and what reads its objects."""

    found: FoundKind
    namespace: str | None
    see: See

    @property
    def name(self) -> str:
        """The kind as people and metrics call it, whichever version is served.

        `applications.argoproj.io`, or `pipelineruns.tekton.dev/ci` in a namespace alone.
        """
        where = "" if self.namespace is None else f"/{self.namespace}"
        return f"{self.found.resource.plural}.{self.found.resource.group}{where}"
