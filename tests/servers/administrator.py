"""What a test does to a cluster in its administrator's name: installs, applies, plays controllers.

Objects are mappings as in a manifest. Where one is only named, `apiVersion`, `kind` and
`metadata` suffice. Nothing here but `settled_refusal` waits on an event loop; a test whose loop has
to go on meanwhile calls it with `asyncio.to_thread`.
"""

import asyncio
import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from .process import HOST

Object = Mapping[str, Any]

_ANSWER_SECONDS = 60.0
_PATIENCE = 60.0
"""Seconds after which something is stuck, whatever the machine is busy with."""
_NOT_FOUND = 404
_REFUSED = 400
_MANAGER = "trunkline-tests"
_JSON = "application/json"
_MERGE = "application/merge-patch+json"
_APPLY = "application/apply-patch+yaml"


class ObjectRefused(Exception):
    """The API server took something not; carries its own words."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """How the API's discovery says that a kind is addressed."""

    plural: str
    namespaced: bool
    has_status: bool


class Administrator:
    """The rights to everything, at one API server."""

    def __init__(self, *, port: int, tls: ssl.SSLContext, token: str) -> None:
        self._port = port
        self._tls = tls
        self._token = token
        self._kinds: dict[tuple[str, str], _Kind] = {}

    def apply(self, *objects: Object, dry_run: bool = False) -> list[dict[str, Any]]:
        """Apply objects at the server, where unknown fields are errors; return what became of them.

        Raises `ObjectRefused`; what was applied before stays.
        """
        query = {"fieldManager": _MANAGER, "fieldValidation": "Strict", "force": "true"}
        if dry_run:
            query["dryRun"] = "All"
        return [self.ask("PATCH", self._path(one), one, query, _APPLY) for one in objects]

    def create(self, content: Object) -> dict[str, Any]:
        """Create an object, where unknown fields are errors. Raises `ObjectRefused`."""
        return self.ask("POST", self._collection(content), content, {"fieldValidation": "Strict"})

    def get(self, named: Object) -> dict[str, Any] | None:
        """Return the object as it is now, or None."""
        path = self._path(named)
        try:
            return self.ask("GET", path)
        except ObjectRefused as refused:
            if refused.status != _NOT_FOUND:
                raise
            return None

    def objects(
        self, api_version: str, kind: str, *, namespace: str | None = None
    ) -> list[dict[str, Any]]:
        """Return all objects of a kind, in one namespace or in all."""
        place = {} if namespace is None else {"namespace": namespace}
        found = self.ask(
            "GET", self._collection(_named(api_version, kind, **place), everywhere=True)
        )
        return [{"apiVersion": api_version, "kind": kind, **one} for one in found["items"]]

    def patch(self, named: Object, change: Object) -> dict[str, Any]:
        """Merge a change into an object. Raises `ObjectRefused`."""
        return self.ask("PATCH", self._path(named), change, content_type=_MERGE)

    def patch_status(self, named: Object, status: Object) -> dict[str, Any]:
        """Merge into an object's status, as its controller does. Raises `ObjectRefused`."""
        path = self._path(named) + ("/status" if self._kind(named).has_status else "")
        return self.ask("PATCH", path, {"status": status}, content_type=_MERGE)

    def delete(self, named: Object) -> None:
        """Delete an object. Raises `ObjectRefused`."""
        self.ask("DELETE", self._path(named))

    def refusal(self, content: Object) -> str:
        """Say why an object is not taken; nothing where it would be."""
        try:
            self.apply(content, dry_run=True)
        except ObjectRefused as refused:
            return str(refused)
        return ""

    async def settled_refusal(self, content: Object) -> str:
        """The same, once the API server has seen the policy that was applied a moment ago."""
        async with asyncio.timeout(_PATIENCE):
            while not (why := await asyncio.to_thread(self.refusal, content)):
                await asyncio.sleep(0.1)
        return why

    def ask(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        query: Mapping[str, str] | None = None,
        content_type: str = _JSON,
    ) -> dict[str, Any]:
        """Ask the API server anything, and return its answer. Raises `ObjectRefused`."""
        status, answer = self._exchange(method, _address(path, query), body, content_type)
        content = json.loads(answer) if answer[:1] == b"{" else {"message": answer.decode()}
        if status >= _REFUSED:
            raise ObjectRefused(str(content.get("message", answer)), status=status)
        return content

    def _exchange(
        self, method: str, address: str, body: Object | None, content_type: str
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPSConnection(
            HOST, self._port, context=self._tls, timeout=_ANSWER_SECONDS
        )
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": content_type}
        try:
            connection.request(method, address, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _path(self, named: Object) -> str:
        return f"{self._collection(named)}/{quote(named['metadata']['name'], safe='')}"

    def _collection(self, named: Object, *, everywhere: bool = False) -> str:
        """Return where objects of this kind lie; those that name no namespace lie in `default`."""
        kind = self._kind(named)
        namespace = named["metadata"].get("namespace", None if everywhere else "default")
        place = f"/namespaces/{quote(namespace)}" if kind.namespaced and namespace else ""
        return f"{_root(named['apiVersion'])}{place}/{kind.plural}"

    def _kind(self, named: Object) -> _Kind:
        wanted = (named["apiVersion"], named["kind"])
        if wanted not in self._kinds:
            self._discover(named["apiVersion"])
        if wanted not in self._kinds:
            raise ObjectRefused(f"no kind {wanted[1]} in {wanted[0]}", status=_NOT_FOUND)
        return self._kinds[wanted]

    def _discover(self, api_version: str) -> None:
        known = self.ask("GET", _root(api_version))["resources"]
        names = {one["name"] for one in known}
        for one in known:
            if "/" not in one["name"]:
                self._kinds[api_version, one["kind"]] = _Kind(
                    plural=one["name"],
                    namespaced=one["namespaced"],
                    has_status=f"{one['name']}/status" in names,
                )


def _named(api_version: str, kind: str, **metadata: str) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def _root(api_version: str) -> str:
    return f"/{'apis' if '/' in api_version else 'api'}/{api_version}"


def _address(path: str, query: Mapping[str, str] | None) -> str:
    return f"{path}?{urlencode(query)}" if query else path
