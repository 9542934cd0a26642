"""Secrets, and the rings of keys that open a door. Read from files and variables, never shown.

A mounted secret is swapped under a running process, so a file is looked at again once a second; a
swap that cannot be read leaves the last good value in place.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hub.errors import SettingsError
from hub.settings import Key, Secret

MIN_KEY_BYTES = 24
"""The least that Standard Webhooks asks of a key; a shorter one can be guessed."""

_LOOK_AGAIN_SECONDS = 1.0


class SecretText:
    """A secret that cannot be printed by accident: only `expose` gives it out."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def expose(self) -> str:
        """Return the secret. Whoever calls this must not let it out."""
        return self._text

    def __repr__(self) -> str:
        return "SecretText(***)"

    __str__ = __repr__


class SecretPlace:
    """A secret where it is kept, with its present value."""

    def __init__(self, place: Secret, *, name: str) -> None:
        """Read it. Raises SettingsError naming `name` and the place, never the value."""
        self._place = place
        self._name = name
        self._looked_at = float("-inf")
        self._stamp: tuple[int, int, int] | None = None
        self._text = self._load()

    def read(self, now: float) -> SecretText:
        """Return the present value; `now` is a monotonic time in seconds."""
        if self._place.file is not None and now - self._looked_at >= _LOOK_AGAIN_SECONDS:
            self._looked_at = now
            if _stamp(self._place.file) != self._stamp:
                self._reload()
        return self._text

    def _reload(self) -> None:
        try:
            self._text = self._load()
        except SettingsError:
            # A swap in progress: the last good value serves until the file is whole again.
            return

    def _load(self) -> SecretText:
        if self._place.file is not None:
            return self._load_file(self._place.file)
        variable = self._place.variable or ""
        value = os.environ.get(variable, "").strip()
        if not value:
            raise SettingsError([f"{self._name}: the variable {variable} is not set"])
        return SecretText(value)

    def _load_file(self, file: Path) -> SecretText:
        stamp = _stamp(file)
        try:
            value = file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            problem = f"{self._name}: the file {file} cannot be read ({type(error).__name__})"
            raise SettingsError([problem]) from error
        if not value:
            raise SettingsError([f"{self._name}: the file {file} is empty"])
        self._stamp = stamp
        return SecretText(value)


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino)


@dataclass(frozen=True, slots=True, kw_only=True)
class RingKey:
    """One key that is good now."""

    id: str
    secret: SecretText

    @property
    def octets(self) -> bytes:
        """The key as bytes, for an HMAC or a comparison."""
        return self.secret.expose().encode()


class KeyRing:
    """The keys of one door. Several may be good at once, so that senders can move over."""

    def __init__(self, keys: Sequence[Key], *, name: str) -> None:
        """Read all keys. Raises SettingsError with every problem, a short key among them."""
        self._name = name
        self._keys: list[tuple[Key, SecretPlace]] = []
        problems = []
        for key in keys:
            try:
                self._keys.append((key, self._place(key)))
            except SettingsError as error:
                problems.extend(error.problems)
        if problems:
            raise SettingsError(problems)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def keys(self, *, monotonic: float, wall: float) -> tuple[RingKey, ...]:
        """Return the keys that are good at this time: `not_before <= wall < not_after`."""
        return tuple(
            RingKey(id=key.id, secret=place.read(monotonic))
            for key, place in self._keys
            if _is_good(key, wall)
        )

    def _place(self, key: Key) -> SecretPlace:
        name = f"{self._name} key {key.id}"
        place = SecretPlace(key.secret, name=name)
        if len(place.read(0.0).expose().encode()) < MIN_KEY_BYTES:
            raise SettingsError([f"{name}: shorter than {MIN_KEY_BYTES} bytes"])
        return place


def _is_good(key: Key, wall: float) -> bool:
    return _at(key.not_before, wall) <= wall < _at(key.not_after, float("inf"))


def _at(moment: datetime | None, otherwise: float) -> float:
    return otherwise if moment is None else moment.timestamp()
