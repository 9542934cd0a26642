"""Settings in the making: what was written, where, and everything that is wrong with it.

It knows how settings are written down, not what they are good for.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from hub.configuration.shape import Leaf, dotted, leaves, texts, written_secrets
from hub.configuration.yaml_document import Place, YamlDocument, read_yaml
from hub.errors import SettingsError
from hub.settings import Settings
from hub.token_shapes import looks_secret, masked

MAX_FILE_BYTES = 1 << 20
"""A settings file has some hundred lines; what is larger than this is another file."""

OTHER_VARIABLES = frozenset({"TRUNKLINE_CONFIG"})
"""Variables that the command line reads and that name no setting."""

_PREFIX = "TRUNKLINE_"

_SERVICE_LINK = re.compile(
    r"TRUNKLINE(_\w+)?_(SERVICE_HOST|SERVICE_PORT\w*|PORT_\d+_(TCP|UDP|SCTP)\w*)=.*"
    r"|TRUNKLINE(_\w+)?_PORT=\w+://.*"
)
"""What Kubernetes puts into every container beside a Service whose name begins with `trunkline`:
https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables."""

_INLINE = (
    "a secret written out is refused: keep it in a file or a variable, and where a secret is "
    "asked for write {file: PATH} or {variable: NAME}"
)


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class _Origin:
    """Where something was written: a line of the file, or a variable (those are told last)."""

    of_variable: bool = False
    line: int = 0
    text: str


class Draft:
    """Settings in the making."""

    def __init__(self) -> None:
        self.content: dict[str, Any] = {}
        """What was written, checked by nothing yet."""
        self._origins: dict[Place, _Origin] = {(): _Origin(text="settings")}
        self._mistakes: dict[Place, tuple[_Origin, str]] = {}

    def take_file(self, path: Path) -> None:
        """Read a YAML file. One that cannot be read at all raises SettingsError."""
        document = _read(path)
        self._origins[()] = _Origin(text=str(path))
        for place, line in document.lines.items():
            self._origins[place] = _Origin(line=line, text=f"{path}:{line}")
        for mistake in document.mistakes:
            line = mistake.line or 0
            origin = _Origin(line=line, text=f"{path}:{line}" if line else str(path))
            self._note(origin, mistake.place, mistake.text)
        if isinstance(document.content, dict):
            self.content = document.content
        elif document.content is not None:
            self.blame((), "should be a mapping of settings")

    def take_variables(self, environment: Mapping[str, str]) -> None:
        """Lay the variables over the file."""
        given = {name: text for name, text in environment.items() if name.startswith(_PREFIX)}
        legal = {_variable(leaf.place): leaf for leaf in leaves(Settings)}
        for name in sorted(given.keys() & legal.keys()):
            self._take_variable(name, legal[name], given[name])
        for name in given.keys() - legal.keys() - OTHER_VARIABLES - self._secret_variables():
            if not _SERVICE_LINK.fullmatch(f"{name}={given[name]}"):
                origin = _Origin(of_variable=True, text=name)
                self._mistakes[(name,)] = (origin, _unknown_variable(name, legal))

    def refuse_secrets(self) -> None:
        """Find the secrets that are written out, whatever setting they stand in."""
        for place, text in texts(self.content):
            if looks_secret(text):
                self.blame(place, _INLINE)

    def settings(self) -> Settings | None:
        """Return the settings, or None where anything is wrong with them."""
        try:
            settings = Settings.model_validate(self.content)
        except ValidationError as error:
            for one in error.errors(include_url=False):
                place = tuple(part for part in one["loc"] if part != "[key]")
                self.blame(place, _in_words(one, place))
            return None
        return None if self._mistakes else settings

    def blame(self, place: Place, text: str) -> None:
        """Note a mistake. Of several at one place only the first is told."""
        written = place
        while written not in self._origins:
            written = written[:-1]
        self._note(self._origins[written], place, text)

    def problems(self) -> list[str]:
        """Return the mistakes in the order of their places, with nothing secret in them."""
        in_order = sorted(self._mistakes.values())
        return [masked(f"{origin.text}: {text}") for origin, text in in_order]

    def _note(self, origin: _Origin, place: Place, text: str) -> None:
        if place and origin.text != _variable(place):
            text = f"{dotted(place)}: {text}"
        self._mistakes.setdefault(place, (origin, text))

    def _take_variable(self, name: str, leaf: Leaf, text: str) -> None:
        origin = _Origin(of_variable=True, text=name)
        value: Any = text
        if leaf.plural:
            document = read_yaml(text)
            value = document.content
            for mistake in document.mistakes:
                self._note(origin, leaf.place + mistake.place, mistake.text)
        branch: Any = self.content
        for depth, part in enumerate(leaf.place[:-1], start=1):
            if branch.get(part) is None:
                branch[part] = {}
                self._origins[leaf.place[:depth]] = origin
            branch = branch[part]
            if not isinstance(branch, dict):
                # What the file has there is a mistake, and told as one.
                return
        branch[leaf.place[-1]] = value
        self._origins[leaf.place] = origin

    def _secret_variables(self) -> set[str]:
        contents = [written.content for written in written_secrets(Settings, self.content)]
        return {str(one.get("variable")) for one in contents if isinstance(one, dict)}


def _read(path: Path) -> YamlDocument:
    try:
        with path.open("rb") as stream:
            octets = stream.read(MAX_FILE_BYTES + 1)
        text = octets.decode()
    except OSError as error:
        raise SettingsError([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise SettingsError([f"{path}: is not UTF-8 at byte {error.start}"]) from error
    if len(octets) > MAX_FILE_BYTES:
        raise SettingsError([f"{path}: is larger than {MAX_FILE_BYTES} bytes"])
    return read_yaml(text)


def _variable(place: Place) -> str:
    return _PREFIX + "__".join(str(part).upper() for part in place)


def _in_words(error: ErrorDetails, place: Place) -> str:
    match error:
        case {"type": "missing"}:
            return "is missing"
        case {"type": "extra_forbidden"}:
            known = {dotted(leaf.place[:end]) for leaf in leaves(Settings) for end in range(1, 9)}
            return f"is no setting{_meaning(get_close_matches(dotted(place), known, n=1))}"
        case {"type": "model_type", "ctx": {"class_name": "Secret"}}:
            return _INLINE
        case {"type": "model_type"}:
            return "should be a mapping"
        case {"input": None}:
            return (
                f"{_plainly(error['msg'])}, and is empty (a text that begins with # needs quotes)"
            )
        case _:
            return _plainly(error["msg"])


def _plainly(message: str) -> str:
    """Leave out how pydantic calls what was written: `Input should be ...`, `Value error, ...`."""
    before, should, after = message.removeprefix("Value error, ").partition("should ")
    return should + after if should else before


def _unknown_variable(name: str, legal: Collection[str]) -> str:
    inside = sorted(one for one in legal if one.startswith(f"{name}__"))
    return f"is no setting{_meaning(inside or get_close_matches(name, legal, n=1))}"


def _meaning(names: Iterable[str]) -> str:
    listed = " or ".join(names)
    return f"; is {listed} meant?" if listed else ""
