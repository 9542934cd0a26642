"""Secrets, and the rings of keys that open a door. Read from files and variables, never shown.

A mounted secret is swapped under a running process, so a file is looked at again once a second; a
swap that cannot be used leaves the last good value in place, and the log says so once.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from hub.errors import SettingsError
from hub.settings import Key, Secret

MIN_KEY_BYTES = 24
"""The least that Standard Webhooks asks of a key; a shorter one can be guessed."""

MAX_SECRET_BYTES = 65_536
"""Far more than any key or certificate: a device or a log named by mistake is not read whole."""

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


Learn = Callable[[SecretText], None]
"""Is told of every value that a secret takes, such as what has to keep it out of the log."""

Misfit = Callable[[SecretText], str | None]
"""Says what makes a value useless where it is wanted, if anything; never with the value in it."""


def too_short(key: SecretText) -> str | None:
    """Say so of a key that can be guessed."""
    if len(key.expose().encode()) < MIN_KEY_BYTES:
        return f"holds less than {MIN_KEY_BYTES} bytes"
    return None


def _learn_nothing(_secret: SecretText) -> None:
    """Leave it."""


def _fits(_secret: SecretText) -> None:
    """Find nothing wrong."""


class SecretPlace:
    """A secret where it is kept, with its present value."""

    def __init__(
        self,
        place: Secret,
        *,
        name: str,
        misfit: Misfit = _fits,
        environment: Mapping[str, str] = os.environ,
        learn: Learn = _learn_nothing,
    ) -> None:
        """Read it. Raises SettingsError naming `name` and the place, never the value."""
        self._place = place
        self._name = name
        self._misfit = misfit
        self._learn = learn
        self._looked_at = float("-inf")
        self._stamp: _Stamp | None = None
        self._text = (
            self._from_variable(environment.get(place.variable or "", ""))
            if place.file is None
            else self._from_file(place.file)
        )

    def read(self, now: float) -> SecretText:
        """Return the present value; `now` is a monotonic time in seconds."""
        if self._place.file is not None and now - self._looked_at >= _LOOK_AGAIN_SECONDS:
            self._looked_at = now
            self._look_again(self._place.file)
        return self._text

    def read_again(self) -> SecretText:
        """Return the value after a look at the file now: the other side refused the last one."""
        if self._place.file is not None:
            self._look_again(self._place.file)
        return self._text

    @property
    def where(self) -> str:
        """What it is called and where it is kept, for people who have to change it."""
        if self._place.file is not None:
            return f"{self._name} (file {self._place.file})"
        return f"{self._name} (variable {self._place.variable})"

    def _look_again(self, file: Path) -> None:
        if _stamp(file) == self._stamp:
            return
        try:
            self._text = self._from_file(file)
        except SettingsError as error:
            # A swap in progress, or a bad one: the last good value serves until the file changes.
            structlog.get_logger().warning("secret_swap_refused", problem=str(error))

    def _from_variable(self, value: str) -> SecretText:
        if not value.strip():
            raise self._mistake("is not set")
        return self._accepted(value.strip())

    def _from_file(self, file: Path) -> SecretText:
        # Taken before the read, so that a change during it is seen at the next look.
        self._stamp = _stamp(file)
        try:
            with file.open("rb") as stream:
                value = stream.read(MAX_SECRET_BYTES + 1)
            text = value.decode().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise self._mistake(f"cannot be read ({type(error).__name__})") from error
        if len(value) > MAX_SECRET_BYTES:
            raise self._mistake(f"is longer than {MAX_SECRET_BYTES} bytes")
        if not text:
            raise self._mistake("is empty")
        return self._accepted(text)

    def _accepted(self, value: str) -> SecretText:
        if not _is_utf_8(value):
            raise self._mistake("is not UTF-8")
        secret = SecretText(value)
        self._learn(secret)
        if (problem := self._misfit(secret)) is not None:
            raise self._mistake(problem)
        return secret

    def _mistake(self, problem: str) -> SettingsError:
        return SettingsError([f"{self.where} {problem}"])


def _is_utf_8(text: str) -> bool:
    """Say whether a variable was: what is not comes with its octets as half surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_Stamp = tuple[int, int, int]


def _stamp(file: Path) -> _Stamp | None:
    try:
        status = file.stat()
    except OSError:
        return None
    # The change time also moves when only the permissions are mended; the modification time can be
    # set back by whoever writes the file.
    return (status.st_ctime_ns, status.st_size, status.st_ino)


@dataclass(frozen=True, slots=True, kw_only=True)
class RingKey:
    """One key that is good now."""

    id: str
    secret: SecretText

    @property
    def octets(self) -> bytes:
        """The key as bytes, for an HMAC or a comparison."""
        return self.secret.expose().encode()


@dataclass(frozen=True, slots=True)
class _Held:
    """One key of a ring, and from when to when it is good, in Unix time."""

    id: str
    place: SecretPlace
    begins: float
    ends: float


class KeyRing:
    """The keys of one door. Several may be good at once, so that senders can move over."""

    def __init__(
        self,
        keys: Sequence[Key],
        *,
        name: str,
        misfit: Misfit = _fits,
        environment: Mapping[str, str] = os.environ,
        learn: Learn = _learn_nothing,
    ) -> None:
        """Read all keys. Raises SettingsError with every problem: a short key, an id twice."""
        self._keys: list[_Held] = []
        problems = []
        ids: set[str] = set()
        for key in keys:
            if key.id in ids:
                problems.append(f"{name} key {key.id}: the id is taken by another key of this ring")
            ids.add(key.id)
            try:
                place = SecretPlace(
                    key.secret,
                    name=f"{name} key {key.id}",
                    misfit=lambda secret: too_short(secret) or misfit(secret),
                    environment=environment,
                    learn=learn,
                )
                begins = _at(key.not_before, float("-inf"))
                ends = _at(key.not_after, float("inf"))
                self._keys.append(_Held(key.id, place, begins, ends))
            except SettingsError as error:
                problems.extend(error.problems)
        if problems:
            raise SettingsError(problems)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def keys(self, *, monotonic: float, wall: float) -> tuple[RingKey, ...]:
        """Return the keys that are good at this time: `not_before <= wall < not_after`."""
        return tuple(
            [
                RingKey(id=held.id, secret=held.place.read(monotonic))
                for held in self._keys
                if held.begins <= wall < held.ends
            ]
        )


def _at(moment: datetime | None, otherwise: float) -> float:
    """Return a moment as Unix time. One without a zone is UTC wherever the process runs."""
    if moment is None:
        return otherwise
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
