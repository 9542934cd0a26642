"""What a log line may show of a value: never a secret, never more than a bounded piece.

Two nets: the values of the configured secrets, which are known here word for word, and the shapes
and names by which strangers' credentials give themselves away.
"""

import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import orjson
import structlog

from hub.secrets import SecretText
from hub.token_shapes import MASK, masked

MAX_TEXT = 16_384
"""Characters of one text: room for a long stack, but no sender fills a disk through the log."""

_MAX_DEPTH = 6
_LEAST_SECRET = 8
"""A shorter one is also part of ordinary words, and masking those would blind the log."""

_MAX_INTEGER = 2**63
"""JSON readers, and the writer here, stop at 64 bits."""

_TELLING_NAMES = frozenset(
    {
        "api-key",
        "authorization",
        "cookie",
        "password",
        "private-key",
        "proxy-authorization",
        "routing-key",
        "secret",
        "set-cookie",
        "token",
        "webhook-signature",
        "x-api-key",
        "x-hub-signature",
        "x-hub-signature-256",
        "x-pagerduty-signature",
        "x-slack-signature",
    }
)
"""Headers and fields whose value is a credential or is made from one."""


class Redactor:
    """Masks secrets in text and in log events. It has to be told what the secrets are."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._secrets: tuple[str, ...] = ()
        self._shortest = _LEAST_SECRET

    def add(self, secret: SecretText) -> None:
        """Mask this value from now on, as it is and as JSON and addresses write it."""
        text = secret.expose()
        if len(text) < _LEAST_SECRET:
            return
        in_json = orjson.dumps(text).decode()[1:-1]
        with self._lock:
            known = {*self._secrets, text, in_json, quote(text, safe="")}
            # The longest first, or a secret that another begins with would leave the rest standing.
            self._secrets = tuple(sorted(known, key=len, reverse=True))
            self._shortest = len(self._secrets[-1])

    def clean(self, text: str) -> str:
        """Return the text with what is secret in it masked, and with its end cut off if long."""
        if len(text) >= self._shortest:
            for secret in self._secrets:
                if secret in text:
                    text = text.replace(secret, MASK)
        text = masked(text)
        return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}... (cut)"

    def __call__(
        self, _logger: object, _method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        """Mask a log event, as a processor; afterwards it holds nothing that JSON does not."""
        return {
            name: MASK if _tells(name) else self._value(value, 1) for name, value in event.items()
        }

    def _mapping(self, values: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        return {
            self.clean(str(name)): MASK if _tells(str(name)) else self._value(value, depth)
            for name, value in values.items()
        }

    def _value(self, value: object, depth: int) -> object:
        match value:
            case str():
                return self.clean(value)
            case None | bool() | float():
                return value
            case int() if -_MAX_INTEGER <= value < _MAX_INTEGER:
                return value
            case Mapping() if depth < _MAX_DEPTH:
                return self._mapping(value, depth + 1)
            case list() | tuple() | set() | frozenset() if depth < _MAX_DEPTH:
                return [self._value(item, depth + 1) for item in value]
            case _:
                return self.clean(str(value))


@lru_cache(maxsize=1024)
def _tells(name: str) -> bool:
    return name.lower().replace("_", "-") in _TELLING_NAMES
