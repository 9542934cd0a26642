"""`Cluster`: the objects, and the rules by which they are created, changed, watched and deleted.

Optimistic concurrency as in
https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions. Everything is
immediate and in memory.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from secrets import token_hex
from uuid import uuid4

from hub.sandbox.clock import rfc3339
from hub.sandbox.kubernetes.admission import check_change, check_object, check_type
from hub.sandbox.kubernetes.changes import ChangeLog, Follower
from hub.sandbox.kubernetes.kinds import APPLICATIONS, KINDS, PIPELINE_RUNS, Kind, Object, copy_of
from hub.sandbox.kubernetes.refusal import (
    Cause,
    Refusal,
    already_exists,
    bad_request,
    conflict,
    invalid,
    not_found,
)

_KEPT = ("name", "namespace", "uid", "creationTimestamp", "generation", "resourceVersion")
"""Metadata that only the server writes."""


class Cluster:
    """A cluster's custom resources. Objects that come out are copies."""

    def __init__(self, *, namespaces: Collection[str]) -> None:
        self.namespaces = set(namespaces)
        self.changes = ChangeLog()
        self._objects: dict[Kind, dict[tuple[str, str], Object]] = {kind: {} for kind in KINDS}
        self._denials: dict[Kind, Refusal] = {}

    def pipeline_runs(self) -> list[Object]:
        """Return every PipelineRun, in the order they were created."""
        return [copy_of(one) for one in self._objects[PIPELINE_RUNS].values()]

    def applications(self) -> list[Object]:
        """Return every Application, in the order they were created."""
        return [copy_of(one) for one in self._objects[APPLICATIONS].values()]

    def deny_creation(self, kind: Kind, refusal: Refusal | None) -> None:
        """Refuse to create a kind, as a quota or a policy does; None ends it."""
        if refusal is None:
            self._denials.pop(kind, None)
        else:
            self._denials[kind] = refusal

    def list(self, kind: Kind, namespace: str | None) -> list[Object]:
        """Return the objects of a namespace (None means all), by namespace and name."""
        return [copy_of(one) for one in self.peek(kind, namespace)]

    def peek(self, kind: Kind, namespace: str | None) -> Sequence[Object]:
        """Return what `list` does, but no copies: only for who changes nothing."""
        kept = sorted(self._objects[kind].items())
        return [one for (place, _), one in kept if namespace in {None, place}]

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Return an object. Raises Refusal."""
        return copy_of(self._find(kind, namespace, name))

    def create(self, kind: Kind, namespace: str, body: Object) -> Object:
        """Create an object. Raises Refusal."""
        self._check_namespace(namespace)
        check_type(kind, namespace, body)
        made = copy_of(body)
        metadata = made["metadata"]
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = f"{metadata['generateName']}{token_hex(3)[:5]}"
        if metadata.get("resourceVersion"):
            message = "resourceVersion should not be set on objects to be created"
            raise Refusal(500, "InternalError", message)
        check_object(kind, made)
        if kind in self._denials:
            raise self._denials[kind]
        if (namespace, metadata["name"]) in self._objects[kind]:
            raise already_exists(kind, metadata["name"])
        if kind.status_subresource:
            made.pop("status", None)
        metadata |= {
            "namespace": namespace,
            "uid": str(uuid4()),
            "creationTimestamp": rfc3339(datetime.now(UTC)),
            "generation": 1,
        }
        return self._store(kind, made, before=None)

    def replace(
        self, kind: Kind, namespace: str, name: str, body: Object, *, status: bool = False
    ) -> Object:
        """Change an object (or only its status) from the version that `body` names.

        Raises Refusal: 409 where the object has been changed since.
        """
        before = self._find(kind, namespace, name)
        check_type(kind, namespace, body)
        given = body["metadata"].get("resourceVersion")
        if body["metadata"].get("name") != name:
            raise bad_request("the name of the object does not match the name on the URL")
        if not given:
            message = "Invalid value: 0x0: must be specified for an update"
            cause = Cause(field="metadata.resourceVersion", message=message)
            raise invalid(kind, name, [cause])
        return self._change(kind, before, body, status=status)

    def patch(
        self, kind: Kind, namespace: str, name: str, patch: Object, *, status: bool = False
    ) -> Object:
        """Change an object by a JSON merge patch (RFC 7396). Raises Refusal."""
        before = self._find(kind, namespace, name)
        patched = merge(before, patch)
        check_type(kind, namespace, patched)
        return self._change(kind, before, patched, status=status)

    def delete(self, kind: Kind, namespace: str, name: str, *, uid: str | None = None) -> Object:
        """Delete an object, at once: finalizers are not waited for. Raises Refusal."""
        before = self._find(kind, namespace, name)
        if uid is not None and uid != before["metadata"]["uid"]:
            raise conflict(kind, name, "Precondition failed: UID in precondition differs")
        del self._objects[kind][namespace, name]
        version = {"resourceVersion": str(self.changes.next_version())}
        last = before | {"metadata": before["metadata"] | version}
        self.changes.append(kind, before=last, after=None)
        return copy_of(before)

    def follow(self, kind: Kind) -> Follower:
        """Return a reader of what is there and then of every change, for a controller."""
        return Follower(self.changes, kind, list(self._objects[kind].values()))

    async def until(
        self, kind: Kind, holds: Callable[[Object], bool], *, timeout: float = 10.0
    ) -> Object:
        """Wait for an object of which `holds` is true. Raises TimeoutError after `timeout` s."""
        follower = self.follow(kind)
        try:
            async with asyncio.timeout(timeout):
                async for change in follower:
                    if change.after is not None and holds(change.after):
                        return copy_of(change.after)
        finally:
            follower.close()
        raise AssertionError("a follower does not end by itself")

    def _find(self, kind: Kind, namespace: str, name: str) -> Object:
        found = self._objects[kind].get((namespace, name))
        if found is None:
            raise not_found(kind, name)
        return found

    def _check_namespace(self, namespace: str) -> None:
        if namespace not in self.namespaces:
            details = {"name": namespace, "kind": "namespaces"}
            message = f'namespaces "{namespace}" not found'
            raise Refusal(404, "NotFound", message, details=details)

    def _change(self, kind: Kind, before: Object, wanted: Object, *, status: bool) -> Object:
        _check_versions(kind, before, wanted)
        after = _accepted(kind, before, wanted, status=status)
        check_object(kind, after)
        check_change(kind, before, after)
        if after == before:
            return copy_of(before)
        if _without(after, "metadata", "status") != _without(before, "metadata", "status"):
            after["metadata"]["generation"] = before["metadata"]["generation"] + 1
        return self._store(kind, after, before=before)

    def _store(self, kind: Kind, made: Object, *, before: Object | None) -> Object:
        metadata = made["metadata"]
        metadata["resourceVersion"] = str(self.changes.next_version())
        self._objects[kind][metadata["namespace"], metadata["name"]] = made
        self.changes.append(kind, before=before, after=made)
        return copy_of(made)


def merge(target: object, patch: object) -> Object:
    """Apply a JSON merge patch, https://www.rfc-editor.org/rfc/rfc7396."""
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in (patch if isinstance(patch, dict) else {}).items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = merge(merged.get(key), value)
        else:
            merged[key] = value
    return merged


def _accepted(kind: Kind, before: Object, wanted: Object, *, status: bool) -> Object:
    """Return what an update makes of an object: the main path and `/status` do not mix."""
    if status:
        return copy_of(before | {"status": wanted.get("status", {})})
    after = copy_of(wanted)
    after["metadata"] |= {key: before["metadata"][key] for key in _KEPT}
    if kind.status_subresource:
        after.pop("status", None)
        if "status" in before:
            after["status"] = before["status"]
    return after


def _check_versions(kind: Kind, before: Object, wanted: Object) -> None:
    for field in ("resourceVersion", "uid"):
        given = wanted["metadata"].get(field)
        if given and given != before["metadata"][field]:
            raise conflict(kind, before["metadata"]["name"])


def _without(one: Object, *keys: str) -> Object:
    return {key: value for key, value in one.items() if key not in keys}
