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
    version: str = ""


class _Group(ObjectPart):
    preferred_version: _Version = _Version()


class _Resource(ObjectPart):
    name: str
    kind: str = ""
    verbs: tuple[str, ...] = ()


class _Resources(ObjectPart):
    resources: tuple[_Resource, ...] = ()


async def find_kinds(api: Endpoint, group: str) -> tuple[FoundKind, ...]:
    """Return the kinds of the group's preferred version. Raises TemporaryError, PermanentError."""
    version = await _preferred(api, group)
    if not version:
        return ()
    answer = await api.call(
        Request(method="GET", path=path_of("apis", group, version)), answered={200, 404}
    )
    if answer.status == HTTPStatus.NOT_FOUND:
        return ()
    found = _read(_Resources, answer.body)
    return tuple(
        FoundKind(resource=Resource(group=group, version=version, plural=one.name), kind=one.kind)
        for one in found.resources
        if "/" not in one.name and "watch" in one.verbs
    )


async def _preferred(api: Endpoint, group: str) -> str:
    answer = await api.call(Request(method="GET", path=path_of("apis", group)), answered={200, 404})
    if answer.status == HTTPStatus.NOT_FOUND:
        return ""
    return _read(_Group, answer.body).preferred_version.version


def _read(part: type[P], body: bytes) -> P:
    try:
        return part.model_validate_json(body)
    except ValidationError as error:
        raise TemporaryError("what the Kubernetes API says of its kinds cannot be read") from error
