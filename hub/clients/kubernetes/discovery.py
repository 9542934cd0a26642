"""Which kinds an API group has: https://kubernetes.io/docs/concepts/overview/kubernetes-api/."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

from pydantic import ValidationError

from hub.clients.endpoint import Endpoint
from hub.clients.http import Request, path_of
from hub.clients.kubernetes.objects import ObjectPart, Resource
from hub.errors import TemporaryError

P = TypeVar("P", bound=ObjectPart)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundKind:
    """A kind that the API server serves, and that can be watched."""

    resource: Resource
    kind: str


class _Version(ObjectPart):
    version: str


class _Group(ObjectPart):
    versions: tuple[_Version, ...] = ()


class _Resource(ObjectPart):
    name: str
    kind: str = ""
    verbs: tuple[str, ...] = ()


class _Resources(ObjectPart):
    resources: tuple[_Resource, ...] = ()


async def find_kinds(api: Endpoint, group: str) -> tuple[FoundKind, ...]:
    """Return the kinds of a group, each in the best version that it is served in.

    Not every kind has the version that the group prefers. Raises TemporaryError, PermanentError.
    """
    found: dict[str, FoundKind] = {}
    for version in await _versions(api, group):
        for one in await _kinds(api, group, version):
            found.setdefault(one.resource.plural, one)
    return tuple(found.values())


async def _versions(api: Endpoint, group: str) -> tuple[str, ...]:
    """Return the versions of a group, the preferred one first: the API server sorts them so."""
    answer = await api.call(Request(method="GET", path=path_of("apis", group)), answered={200, 404})
    if answer.status == HTTPStatus.NOT_FOUND:
        return ()
    return tuple(one.version for one in _read(_Group, answer.body).versions)


async def _kinds(api: Endpoint, group: str, version: str) -> list[FoundKind]:
    answer = await api.call(
        Request(method="GET", path=path_of("apis", group, version)), answered={200, 404}
    )
    if answer.status == HTTPStatus.NOT_FOUND:
        return []
    return [
        FoundKind(resource=Resource(group=group, version=version, plural=one.name), kind=one.kind)
        for one in _read(_Resources, answer.body).resources
        if "/" not in one.name and "watch" in one.verbs
    ]


def _read(part: type[P], body: bytes) -> P:
    try:
        return part.model_validate_json(body)
    except ValidationError as error:
        raise TemporaryError("what the Kubernetes API says of its kinds cannot be read") from error
