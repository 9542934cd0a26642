"""What an outside system answered, and what an answer that is no success means for the run.

The one place where HTTP statuses become TemporaryError or PermanentError. Pure: no I/O.
"""

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from pydantic import BaseModel, ConfigDict, ValidationError

from hub.errors import PermanentError, TemporaryError

MAX_WAIT_SECONDS = 86_400.0
"""The longest wait that is obeyed: a mistaken header must not put a run to sleep for years."""

UNSAID_WAIT_SECONDS = 60.0
"""How long a rate limit without a time lasts, where no better is known of the system. GitHub asks
for "at least one minute":
https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api."""

_MAX_REASON = 300
"""Characters of somebody else's words in an error: enough to act on, too few to flood a log."""

_AGAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})
_CREDENTIAL = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class OutcomeUnknownError(TemporaryError):
    """No clear answer came: whether the call took effect is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer, whole. Header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who was asked and with what: for the words of an error."""

    system: str
    credential: str = ""
    """The credential's name and place."""
    hidden: str = ""
    """The credential's value, which must not come back out in an error."""
    unsaid_wait_seconds: float = UNSAID_WAIT_SECONDS


def fault(answer: Answer, asked: Asked, *, wall: float) -> TemporaryError | PermanentError:
    """Return the error that this answer means; `wall` is the Unix time now."""
    text = f"{asked.system} answered {answer.status}{_reason(answer, asked.hidden)}"
    if rate_limited(answer):
        seconds = wait(answer, wall=wall)
        return TemporaryError(text, after=asked.unsaid_wait_seconds if seconds is None else seconds)
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return OutcomeUnknownError(text, after=wait(answer, wall=wall))
    if answer.status in _AGAIN:
        return TemporaryError(text, after=wait(answer, wall=wall))
    if answer.status < HTTPStatus.BAD_REQUEST:
        return PermanentError(f"{text}; redirects and unexpected successes are not followed")
    if answer.status in _CREDENTIAL and asked.credential:
        return PermanentError(f"{text}; the credential used is {asked.credential}")
    return PermanentError(text)


def rate_limited(answer: Answer) -> bool:
    """Whether the answer is a rate limit; GitHub also says so with 403."""
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return True
    return answer.status == HTTPStatus.FORBIDDEN and (
        "retry-after" in answer.headers
        or answer.headers.get("x-ratelimit-remaining") == "0"
        or b"secondary rate limit" in answer.body
    )


def wait(answer: Answer, *, wall: float) -> float | None:
    """Return how many seconds the other side wants to be left alone, where it says so.

    `Retry-After` in both its forms (RFC 9110, 10.2.3), else GitHub's `x-ratelimit-reset` once
    nothing remains. Between 0 and MAX_WAIT_SECONDS.
    """
    seconds = _retry_after(answer.headers.get("retry-after", ""), wall)
    if seconds is None and answer.headers.get("x-ratelimit-remaining") == "0":
        seconds = _until(_number(answer.headers.get("x-ratelimit-reset", "")), wall)
    return None if seconds is None else min(max(seconds, 0.0), MAX_WAIT_SECONDS)


def clean(text: str, *, hidden: str = "") -> str:
    """Return outside words fit for one line of a log: printable, short, without the secret."""
    shown = text.replace(hidden, "***") if hidden else text
    printable = "".join(
        " " if unicodedata.category(one)[0] in "CZ" else one for one in shown[: 4 * _MAX_REASON]
    )
    return " ".join(printable.split())[:_MAX_REASON]


def _retry_after(value: str, wall: float) -> float | None:
    seconds = _number(value)
    if seconds is not None or not value:
        return seconds
    try:
        return _until(parsedate_to_datetime(value).timestamp(), wall)
    except (ValueError, OverflowError):
        return None


def _number(value: str) -> float | None:
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _until(moment: float | None, wall: float) -> float | None:
    return None if moment is None else moment - wall


class _Detail(BaseModel):
    model_config = ConfigDict(extra="ignore")

    message: str = ""
    field: str = ""
    code: str = ""

    def __str__(self) -> str:
        return self.message or f"{self.field} {self.code}".strip()


class _Problem(BaseModel):
    """How GitHub, Kubernetes and PagerDuty word an error."""

    model_config = ConfigDict(extra="ignore")

    message: str = ""
    errors: tuple[str | _Detail, ...] = ()


def _reason(answer: Answer, hidden: str) -> str:
    try:
        problem = _Problem.model_validate_json(answer.body)
        words = ", ".join(filter(None, [problem.message, *map(str, problem.errors)]))
    except ValidationError:
        words = _plain_text(answer)
    reason = clean(words, hidden=hidden)
    return f": {reason}" if reason else ""


def _plain_text(answer: Answer) -> str:
    if not answer.headers.get("content-type", "").startswith("text/plain"):
        return ""
    return answer.body[: 4 * _MAX_REASON].decode("utf-8", "replace")
