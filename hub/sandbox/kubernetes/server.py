"""`KubernetesApi`: the cluster behind the paths, verbs and answers of an API server.

Protocol: https://kubernetes.io/docs/reference/using-api/api-concepts/. Bodies are JSON; patches are
merge patches. Apply, JSON patch and dry runs are refused, so nothing can rely on them here.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Awaitable, Callable

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from hub.sandbox.faults import Faults, Status
from hub.sandbox.kubernetes.access import Access, Asked, authenticate, authorize
from hub.sandbox.kubernetes.cluster import Cluster
from hub.sandbox.kubernetes.discovery import group_document, version_document
from hub.sandbox.kubernetes.fields import check_known, check_patch_known
from hub.sandbox.kubernetes.kinds import KINDS, Object, unknown_kind
from hub.sandbox.kubernetes.refusal import Refusal, bad_request, expired
from hub.sandbox.kubernetes.selectors import select
from hub.sandbox.kubernetes.watching import Filter, stream
from hub.sandbox.loopback import Loopback

_MAX_BODY_BYTES = 3 * 1024 * 1024
"""What an API server takes."""
_WATCH_SECONDS = 1800.0
"""How long a watch lasts that asks for nothing else."""
_MERGE_PATCH = "application/merge-patch+json"
_REASONS = {
    403: "Forbidden",
    409: "Conflict",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}

_KIND_AT = {(kind.group, kind.version, kind.plural): kind for kind in KINDS}

Verb = Callable[[web.Request, Asked], Awaitable[web.StreamResponse]]


class KubernetesApi:
    """One API server."""

    def __init__(
        self, *, cluster: Cluster, faults: Faults, accounts: tuple[Access, ...] | None
    ) -> None:
        """Only the accounts are served; None serves everybody."""
        self.requests: list[Asked] = []
        """Everything that was asked, allowed or not."""
        self._cluster = cluster
        self._accounts = accounts
        app = web.Application(
            middlewares=[faults.middleware("kubernetes", answer=_spoilt), _answer_refusals],
            client_max_size=_MAX_BODY_BYTES,
        )
        app.add_routes(self._routes())
        app.on_shutdown.append(self._close_watches)
        self._server = Loopback(app)

    @property
    def url(self) -> str:
        """The base address, known once started."""
        return self._server.url

    async def start(self) -> str:
        """Listen, and return the base address."""
        return await self._server.start()

    async def stop(self) -> None:
        """Close every watch and stop listening."""
        await self._server.stop()

    def _routes(self) -> list[web.RouteDef]:
        group = "/apis/{group}/{version}"
        every = f"{group}/{{plural}}"
        some = f"{group}/namespaces/{{namespace}}/{{plural}}"
        one = f"{some}/{{name}}"
        return [
            web.get("/version", _version),
            web.get("/readyz", _ready),
            web.get("/apis/{group}", self._discover),
            web.get("/apis/{group}/{version}", self._discover),
            web.get(every, self._on("list", self._list)),
            web.get(some, self._on("list", self._list)),
            web.post(some, self._on("create", self._create)),
            web.get(one, self._on("get", self._get)),
            web.put(one, self._on("update", self._replace)),
            web.patch(one, self._on("patch", self._patch)),
            web.delete(one, self._on("delete", self._delete)),
            web.get(f"{one}/{{subresource:status}}", self._on("get", self._get)),
            web.put(f"{one}/{{subresource:status}}", self._on("update", self._replace)),
            web.patch(f"{one}/{{subresource:status}}", self._on("patch", self._patch)),
        ]

    def _on(self, verb: str, act: Verb) -> Handler:
        async def serve(request: web.Request) -> web.StreamResponse:
            watched = verb == "list" and request.query.get("watch") in {"true", "1"}
            asked = _asked(request, "watch" if watched else verb)
            self.requests.append(asked)
            if self._accounts is not None:
                header = request.headers.get("Authorization", "")
                authorize(authenticate(self._accounts, header), asked)
            if asked.kind not in KINDS:
                raise web.HTTPNotFound
            if "dryRun" in request.query:
                raise bad_request("the sandbox has no dry run")
            return await (self._watch if watched else act)(request, asked)

        return serve

    async def _discover(self, request: web.Request) -> web.Response:
        """Say which kinds there are, as every account may ask."""
        if self._accounts is not None:
            authenticate(self._accounts, request.headers.get("Authorization", ""))
        group, version = request.match_info["group"], request.match_info.get("version")
        if version is None:
            document = group_document(group, KINDS)
        else:
            document = version_document(group, version, KINDS)
        if document is None:
            raise web.HTTPNotFound
        return _reply(document)

    async def _create(self, request: web.Request, asked: Asked) -> web.Response:
        body = await _body(request, "application/json")
        if _is_strict(request):
            check_known(asked.kind, body)
        return _reply(self._cluster.create(asked.kind, *_place(asked), body), status=201)

    async def _get(self, request: web.Request, asked: Asked) -> web.Response:
        name = request.match_info["name"]
        return _reply(self._cluster.get(asked.kind, *_place(asked), name))

    async def _replace(self, request: web.Request, asked: Asked) -> web.Response:
        body = await _body(request, "application/json")
        name, status = request.match_info["name"], bool(asked.subresource)
        return _reply(self._cluster.replace(asked.kind, *_place(asked), name, body, status=status))

    async def _patch(self, request: web.Request, asked: Asked) -> web.Response:
        body = await _body(request, _MERGE_PATCH)
        if _is_strict(request):
            check_patch_known(asked.kind, body)
        name, status = request.match_info["name"], bool(asked.subresource)
        return _reply(self._cluster.patch(asked.kind, *_place(asked), name, body, status=status))

    async def _delete(self, request: web.Request, asked: Asked) -> web.Response:
        name = request.match_info["name"]
        options = await _body(request, "application/json") if request.can_read_body else {}
        uid = (options.get("preconditions") or {}).get("uid")
        gone = self._cluster.delete(asked.kind, *_place(asked), name, uid=uid)
        details = {"name": name, "group": asked.kind.group, "kind": asked.kind.plural}
        told = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
        return _reply(told | {"details": details | {"uid": gone["metadata"]["uid"]}})

    async def _list(self, request: web.Request, asked: Asked) -> web.Response:
        selector = _selector(request, asked)
        version, after = self._continued(request.query.get("continue", ""))
        found = self._cluster.peek(asked.kind, asked.namespace)
        rest = [one for one in found if _key(one) > after and selector(one)]
        limit = _number(request, "limit") or len(rest)
        metadata: Object = {"resourceVersion": str(version)}
        if len(rest) > limit:
            metadata["continue"] = _continue_token(version, _key(rest[limit - 1]))
            metadata["remainingItemCount"] = len(rest) - limit
        listed = {"apiVersion": asked.kind.api_version, "kind": f"{asked.kind.kind}List"}
        return _reply(listed | {"metadata": metadata, "items": rest[:limit]})

    async def _watch(self, request: web.Request, asked: Asked) -> web.StreamResponse:
        if request.query.get("sendInitialEvents"):
            raise Refusal(422, "Invalid", "sendInitialEvents is forbidden for watch")
        changes = self._cluster.changes
        since = _number(request, "resourceVersion")
        wanted = Filter(
            kind=asked.kind,
            namespace=asked.namespace,
            selector=_selector(request, asked),
            bookmarks=request.query.get("allowWatchBookmarks") in {"true", "1"},
        )
        present = [] if since else self._cluster.list(asked.kind, asked.namespace)
        watch = changes.watch(since or changes.version)
        try:
            return await stream(
                request,
                watch,
                wanted,
                present=[one for one in present if wanted.matches(one)],
                seconds=_number(request, "timeoutSeconds") or _WATCH_SECONDS,
            )
        finally:
            changes.unwatch(watch)

    def _continued(self, token: str) -> tuple[int, tuple[str, str]]:
        """Return the version of a list's first page, and the key after which to go on."""
        if not token:
            return self._cluster.changes.version, ("", "")
        try:
            version, namespace, name = orjson.loads(urlsafe_b64decode(token))
        except ValueError as error:
            raise bad_request("continue key is not valid") from error
        if not self._cluster.changes.remembers(version):
            raise expired("The provided continue parameter is too old")
        return version, (namespace, name)

    async def _close_watches(self, _app: web.Application) -> None:
        self._cluster.changes.disconnect()


@web.middleware
async def _answer_refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refusal as refusal:
        return _reply(refusal.status(), status=refusal.code)
    except web.HTTPRequestEntityTooLarge:
        too_large = Refusal(413, "RequestEntityTooLarge", "Request entity too large")
        return _reply(too_large.status(), status=too_large.code)
    except web.HTTPNotFound:
        return web.Response(status=404, text="404 page not found\n")


def _asked(request: web.Request, verb: str) -> Asked:
    match = request.match_info
    address = match["group"], match["version"], match["plural"]
    return Asked(
        verb=verb,
        kind=_KIND_AT.get(address) or unknown_kind(*address),
        namespace=match.get("namespace"),
        name=match.get("name", ""),
        subresource=match.get("subresource", ""),
    )


def _is_strict(request: web.Request) -> bool:
    return request.query.get("fieldValidation") == "Strict"


def _place(asked: Asked) -> tuple[str]:
    return (asked.namespace or "",)


async def _body(request: web.Request, media_type: str) -> Object:
    if request.content_type != media_type:
        message = f"the body of the request was in an unknown format - accepted: {media_type}"
        raise Refusal(415, "UnsupportedMediaType", message)
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise bad_request(f"couldn't get version/kind; json parse error: {error}") from error
    if not isinstance(body, dict):
        raise bad_request("json: cannot unmarshal into an object")
    return body


def _selector(request: web.Request, asked: Asked) -> Callable[[Object], bool]:
    query = request.query
    labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
    return select(labels, fields, known=asked.kind.fields)


def _number(request: web.Request, name: str) -> int:
    try:
        return int(request.query.get(name) or 0)
    except ValueError as error:
        raise bad_request(f"{name}: Invalid value") from error


def _key(one: Object) -> tuple[str, str]:
    return one["metadata"]["namespace"], one["metadata"]["name"]


def _continue_token(version: int, key: tuple[str, str]) -> str:
    return urlsafe_b64encode(orjson.dumps([version, *key])).decode()


def _reply(body: Object, *, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")


def _spoilt(fault: Status) -> web.Response:
    reason = _REASONS.get(fault.status, "InternalError")
    refusal = Refusal(fault.status, reason, f"the sandbox was told to fail with {fault.status}")
    return _reply(refusal.status(), status=fault.status)


async def _version(_request: web.Request) -> web.Response:
    return _reply({"major": "1", "minor": "34", "gitVersion": "v1.34.0+sandbox"})


async def _ready(_request: web.Request) -> web.Response:
    return web.Response(text="ok")
