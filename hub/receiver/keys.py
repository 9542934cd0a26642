"""The keys of a door: read at the start, looked at once for every request."""

from collections.abc import Sequence
from dataclasses import dataclass

from hub.errors import SettingsError
from hub.secrets import KeyRing, Learn, Misfit, RingKey, SecretText
from hub.settings import Key

_NO_KEYS = KeyRing((), name="none")


def _fits(_key: SecretText) -> None:
    """Find nothing wrong: most doors take any text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The keys of one door that are good at one moment: a request sees a single set of them."""

    tokens: Sequence[RingKey]
    signing: Sequence[RingKey]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rings:
    """The keys of one door: `tokens` are sent as they are, `signing` never leave their places."""

    tokens: KeyRing = _NO_KEYS
    signing: KeyRing = _NO_KEYS

    def good(self, *, monotonic: float, wall: float) -> Keys:
        """Return the keys that are good now; both times are in seconds."""
        return Keys(
            tokens=self.tokens.keys(monotonic=monotonic, wall=wall),
            signing=self.signing.keys(monotonic=monotonic, wall=wall),
        )

    def __bool__(self) -> bool:
        return bool(self.tokens) or bool(self.signing)


class RingReader:
    """Reads rings and keeps what is wrong with them, so that all of it is told at once."""

    def __init__(self, *, learn: Learn) -> None:
        """`learn` is told of every key."""
        self._learn = learn
        self.problems: list[str] = []

    def read(self, keys: Sequence[Key], *, name: str, misfit: Misfit = _fits) -> KeyRing:
        """Return the ring, or an empty one after noting its problems."""
        try:
            return KeyRing(keys, name=name, misfit=misfit, learn=self._learn)
        except SettingsError as error:
            self.problems.extend(error.problems)
            return _NO_KEYS
