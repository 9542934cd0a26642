"""`GitHttp`: real git over smart HTTP, by `git http-backend`. Knows repositories, not GitHub.

Protocol: https://git-scm.com/docs/http-protocol and https://git-scm.com/docs/git-http-backend.
"""

import hmac
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiohttp import web

from hub.sandbox.faults import Faults
from hub.sandbox.git import run
from hub.sandbox.loopback import Loopback
from hub.sandbox.repository import Change, Repository

_MAX_PUSH_BYTES = 256 * 1024 * 1024
"""A pack is held in memory; nothing in the sandbox comes near it."""
_SERVICES = "info/refs|git-upload-pack|git-receive-pack"


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """One `git push` that reached the server."""

    repository: str
    changes: Sequence[Change]
    """Empty where it was refused or changed nothing."""


class GitHttp:
    """Serves the repositories that `find` knows at `/<owner>/<name>.git`."""

    def __init__(
        self, *, faults: Faults, find: Callable[[str], Repository | None], token: str | None
    ) -> None:
        """With a `token`, it must come as a bearer token or as the password of any user."""
        self.pushes: list[Push] = []
        """Every push, in order."""
        self._find = find
        self._token = token
        app = web.Application(
            middlewares=[faults.middleware("git")], client_max_size=_MAX_PUSH_BYTES
        )
        app.router.add_route(
            "*", f"/{{owner}}/{{name:.+?}}{{suffix:(\\.git)?}}/{{service:{_SERVICES}}}", self._serve
        )
        self._server = Loopback(app)

    @property
    def url(self) -> str:
        """The base address, known once started."""
        return self._server.url

    async def start(self) -> str:
        """Listen, and return the base address."""
        return await self._server.start()

    async def stop(self) -> None:
        """Stop listening."""
        await self._server.stop()

    async def _serve(self, request: web.Request) -> web.Response:
        if not self._admits(request):
            challenge = {"WWW-Authenticate": 'Basic realm="GitHub"'}
            return web.Response(status=401, headers=challenge, text="Invalid credentials.\n")
        name = f"{request.match_info['owner']}/{request.match_info['name']}"
        repository = self._find(name)
        if repository is None:
            return web.Response(status=404, text="Repository not found.\n")
        answer = await _backend(repository, request)
        if request.match_info["service"] == "git-receive-pack":
            changes = await repository.announce()
            self.pushes.append(Push(repository=name, changes=changes))
        return answer

    def _admits(self, request: web.Request) -> bool:
        if self._token is None:
            return True
        given = _credential(request.headers.get("Authorization", ""))
        return hmac.compare_digest(given, self._token.encode())


def _credential(header: str) -> bytes:
    """Return the token of a bearer header or the password of a basic one."""
    scheme, _, value = header.partition(" ")
    match scheme.lower():
        case "bearer" | "token":
            return value.encode()
        case "basic":
            try:
                return b64decode(value, validate=True).partition(b":")[2]
            except NotBase64:
                return b""
        case _:
            return b""


async def _backend(repository: Repository, request: web.Request) -> web.Response:
    body = await request.read()
    environment = {
        "GIT_PROJECT_ROOT": str(repository.folder.parent),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{repository.folder.name}/{request.match_info['service']}",
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.query_string,
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        # The length of what aiohttp has decompressed, so no HTTP_CONTENT_ENCODING goes with it.
        "CONTENT_LENGTH": str(len(body)),
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        "REMOTE_USER": "sandbox",
        "REMOTE_ADDR": "127.0.0.1",
    }
    return _response(await run("git", "http-backend", stdin=body, environment=environment))


def _response(output: bytes) -> web.Response:
    """Read a CGI answer (RFC 3875): header lines, an empty line, the body."""
    head, _, body = output.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
    status = int(headers.pop("Status", "200 OK").split(" ", 1)[0])
    return web.Response(status=status, headers=headers, body=body)
