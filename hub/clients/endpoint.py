"""One outside system: its base address, its credential, its rate limits, what its errors mean.

The credential goes to that origin and nowhere else, and comes back out in no error. Nothing here
reads a body; that is done in the client of each system.
"""

import ssl
from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from yarl import URL

from hub.clients.addresses import is_loopback, parse_literal, refusal
from hub.clients.answer import UNSAID_WAIT_SECONDS, Answer, Asked, fault, rate_limited
from hub.clients.http import Http, Request, Streamed
from hub.clients.pacing import Pauses
from hub.errors import PermanentError, SettingsError, TemporaryError
from hub.secrets import SecretPlace, SecretText


class Endpoint:
    """One outside system: its base address, its credential, and what its errors mean."""

    def __init__(
        self,
        http: Http,
        *,
        url: str,
        system: str,
        credential: SecretPlace | None = None,
        bearer: bool = True,
        ca_file: Path | None = None,
        unsaid_wait_seconds: float = UNSAID_WAIT_SECONDS,
    ) -> None:
        """Check the address. Raises SettingsError where it is one the hub never connects to.

        `bearer` False is for a credential that travels in the body: it is only kept out of errors.
        `unsaid_wait_seconds` is how long a rate limit lasts that does not say it.
        """
        self._http = http
        self._url = url.rstrip("/")
        self._system = system
        self._credential = credential
        self._bearer = bearer
        self._unsaid_wait_seconds = unsaid_wait_seconds
        self._tls = _trust(ca_file, system)
        self._pauses = Pauses(monotonic=http.monotonic)
        _check_address(self._url, system, has_credential=credential is not None)

    async def call(self, request: Request, *, answered: Collection[int]) -> Answer:
        """Return the answer where its status is one of `answered`; else raise what it means.

        A 401 is tried once more where the credential has changed in the meantime. While a rate
        limit lasts, requests of its lane raise TemporaryError without being sent.
        """
        self.check(request.lane)
        secret = self.secret()
        answer = await self._send(request, secret)
        if answer.status == HTTPStatus.UNAUTHORIZED and (fresh := self._renewed(secret)):
            answer = await self._send(request, fresh)
        if answer.status in answered:
            return answer
        raise self._refused(answer, request.lane)

    @asynccontextmanager
    async def stream(
        self, request: Request, *, silence_seconds: float, answered: Collection[int]
    ) -> AsyncIterator[Streamed]:
        """Hand out an answer while it is coming, where its status is one of `answered`.

        Else raise what it means. Credentials and rate limits are as for `call`.
        """
        self.check(request.lane)
        secret = self.secret()
        async with AsyncExitStack() as stack:
            begin = partial(self._begin, request, silence_seconds=silence_seconds)
            streamed = await stack.enter_async_context(begin(secret))
            if streamed.status == HTTPStatus.UNAUTHORIZED and (fresh := self._renewed(secret)):
                streamed = await stack.enter_async_context(begin(fresh))
            if streamed.status not in answered:
                raise self._refused(await streamed.whole(), request.lane)
            yield streamed

    def check(self, lane: str = "") -> None:
        """Raise TemporaryError while this system wants no requests of this lane."""
        self._pauses.check(self._lane(lane))

    def fault(self, answer: Answer) -> TemporaryError | PermanentError:
        """Return the error that an answer of this system means."""
        return fault(answer, self._asked(), wall=self._http.wall())

    def secret(self) -> SecretText | None:
        """Return the credential as it is now."""
        if self._credential is None:
            return None
        return self._credential.read(self._http.monotonic())

    def _lane(self, lane: str) -> str:
        return f"{self._system} ({lane})" if lane else self._system

    def _asked(self) -> Asked:
        secret = self.secret()
        return Asked(
            system=self._system,
            credential=self._credential.where if self._credential else "",
            hidden=secret.expose() if secret else "",
            unsaid_wait_seconds=self._unsaid_wait_seconds,
        )

    def _renewed(self, refused: SecretText | None) -> SecretText | None:
        if self._credential is None or refused is None:
            return None
        fresh = self._credential.read_again()
        return fresh if fresh.expose() != refused.expose() else None

    def _refused(self, answer: Answer, lane: str) -> TemporaryError | PermanentError:
        error = self.fault(answer)
        if rate_limited(answer) and isinstance(error, TemporaryError):
            self._pauses.begin(self._lane(lane), error.after or 0.0)
        return error

    async def _send(self, request: Request, secret: SecretText | None) -> Answer:
        headers = self._headers(request, secret)
        return await self._http.send(self._at(request), request, headers=headers, tls=self._tls)

    def _begin(
        self, request: Request, secret: SecretText | None, *, silence_seconds: float
    ) -> AbstractAsyncContextManager[Streamed]:
        return self._http.stream(
            self._at(request),
            request,
            headers=self._headers(request, secret),
            tls=self._tls,
            silence_seconds=silence_seconds,
        )

    def _at(self, request: Request) -> URL:
        query = f"?{urlencode(request.query)}" if request.query else ""
        return URL(f"{self._url}{request.path}{query}", encoded=True)

    def _headers(self, request: Request, secret: SecretText | None) -> dict[str, str]:
        headers = {"Accept": "application/json"}
        if request.body is not None:
            headers["Content-Type"] = "application/json; charset=utf-8"
        headers |= dict(request.headers)
        if secret is not None and self._bearer:
            headers["Authorization"] = f"Bearer {_header_value(secret, self._asked())}"
        return headers


def _check_address(url: str, system: str, *, has_credential: bool) -> None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    reason = refusal(host, host) if parse_literal(host) is not None else None
    if reason is not None:
        raise SettingsError([f"{system}: {reason}"])
    if has_credential and parts.scheme != "https" and not is_loopback(host):
        raise SettingsError([f"{system}: a credential is sent over https:// only, not to {url}"])


def _trust(ca_file: Path | None, system: str) -> ssl.SSLContext | bool:
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except (OSError, ssl.SSLError) as error:
        problem = f"{system}: the CA file {ca_file} cannot be read ({type(error).__name__})"
        raise SettingsError([problem]) from error


def _header_value(secret: SecretText, asked: Asked) -> str:
    value = secret.expose()
    if not (value.isascii() and value.isprintable()):
        raise PermanentError(f"{asked.credential} is not plain ASCII on one line")
    return value
