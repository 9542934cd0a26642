"""What is asked of the API server: create, get, list, watch, patch and replace custom resources.

API conventions: https://kubernetes.io/docs/reference/using-api/api-concepts/. Objects go in and out
as JSON bytes; what is in them is read by the client of each system. Nothing is deleted.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from http import HTTPStatus

from pydantic import Field, ValidationError

from hub.clients.answer import Answer, clean
from hub.clients.endpoint import Endpoint
from hub.clients.http import MAX_ANSWER_BYTES, AnswerTooLargeError, Http
from hub.clients.kubernetes import discovery, watching
from hub.clients.kubernetes.discovery import FoundKind
from hub.clients.kubernetes.objects import ObjectPart, Resource
from hub.clients.kubernetes.watching import Told
from hub.errors import Malformed, PermanentError, TemporaryError
from hub.events.json_parts import elements, members
from hub.secrets import SecretPlace
from hub.settings import KubernetesSettings

_QUOTA_WAIT_SECONDS = 60.0
"""A quota frees itself when other runs end, which takes minutes rather than seconds."""

_OVERLOAD_SECONDS = 1.0
"""What the API server itself says with 429, where something before it says nothing."""

PAGE_OBJECTS = 100
"""Objects in one answer: at 20 KB each, which is large, half of what an answer may be."""

_STRICT = (("fieldValidation", "Strict"),)
"""A field that the kind does not have is refused: by default it would be dropped in silence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """The object was created; `body` is what the API server made of it."""

    body: bytes


@dataclass(frozen=True, slots=True)
class AlreadyExists:
    """An object of that name was there before; nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of a list, each object as JSON."""

    items: tuple[bytes, ...]
    version: str
    """The resource version of the whole list: a watch from here misses nothing."""
    after: str
    """Asks for the next page; empty on the last one."""


class _ListMeta(ObjectPart):
    resource_version: str = ""
    continue_: str = Field("", alias="continue")


class _Status(ObjectPart):
    """https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/."""

    reason: str = ""
    message: str = ""


class Kubernetes:
    """The API server, with the rights of one service account.

    A kind with which it is overloaded (429) is left alone for a while, and no other: a lease has to
    be renewed all the same.
    """

    def __init__(
        self, *, settings: KubernetesSettings, http: Http, token: SecretPlace | None
    ) -> None:
        self._api = Endpoint(
            http,
            url=settings.url,
            system="the Kubernetes API",
            credential=token,
            ca_file=settings.ca_file,
            unsaid_wait_seconds=_OVERLOAD_SECONDS,
        )
        self._fitting: dict[Resource, int] = {}

    async def create(
        self, resource: Resource, *, namespace: str, manifest: bytes
    ) -> Created | AlreadyExists:
        """Create the object that `manifest` (JSON) describes.

        Raises PermanentError where the API server refuses it for good (invalid, forbidden, denied
        by an admission webhook), TemporaryError where it may take it later (overload, quota).
        """
        request = resource.request("POST", namespace, query=_STRICT, body=manifest)
        answer = await self._api.call(request, answered={200, 201, 202, 403, 409})
        match (answer.status, _status(answer)):
            case (409, _Status(reason="AlreadyExists")):
                return AlreadyExists()
            case (409, status):
                raise _conflict(status)
            case (403, status) if "exceeded quota" in status.message:
                raise TemporaryError(clean(status.message), after=_QUOTA_WAIT_SECONDS)
            case (403, _):
                raise self._api.fault(answer)
            case _:
                return Created(body=answer.body)

    async def get(self, resource: Resource, *, namespace: str | None, name: str) -> bytes | None:
        """Return an object as JSON, or None where there is none of that name.

        `namespace` is None for a kind that has none.

        Raises PermanentError where the API server does not know the kind: then its operator is
        missing, which must not be taken for a missing object.
        """
        request = resource.request("GET", namespace, name)
        answer = await self._api.call(request, answered={200, 404})
        if answer.status == HTTPStatus.OK:
            return answer.body
        _check_known(resource, answer)
        return None

    async def list_all(
        self, resource: Resource, *, namespace: str | None, labels: str = "", fields: str = ""
    ) -> tuple[bytes, ...]:
        """Return all objects of a kind, each as JSON, page after page; see `page`."""
        items: list[bytes] = []
        after = ""
        while True:
            page = await self.page(
                resource, namespace=namespace, labels=labels, fields=fields, after=after
            )
            items.extend(page.items)
            if not page.after:
                return tuple(items)
            after = page.after

    async def page(
        self,
        resource: Resource,
        *,
        namespace: str | None,
        labels: str = "",
        fields: str = "",
        after: str = "",
    ) -> Page:
        """Return a page of the objects of a kind; `labels` and `fields` are selectors.

        Where so many objects are more than one answer may hold, the page is a smaller one, and so
        are the next ones of this kind, until its objects are small again. Raises PermanentError
        where the API server does not know the kind, TemporaryError where `after` has become too old
        (410): the list has to be begun anew.
        """
        while True:
            limit = self._fitting.get(resource, PAGE_OBJECTS)
            query = (
                ("limit", str(limit)),
                ("labelSelector", labels),
                ("fieldSelector", fields),
                ("continue", after),
            )
            try:
                page = await self._page(resource, namespace, query)
            except AnswerTooLargeError:
                if limit == 1:
                    raise
                self._fitting[resource] = limit // 2
            else:
                if sum(map(len, page.items)) < MAX_ANSWER_BYTES // 4:
                    self._fitting[resource] = min(2 * limit, PAGE_OBJECTS)
                return page

    async def version(self, resource: Resource, *, namespace: str | None) -> str:
        """Return the version that a list of a kind has now. Raises as `page`."""
        return (await self._page(resource, namespace, (("limit", "1"),))).version

    async def _page(
        self, resource: Resource, namespace: str | None, query: tuple[tuple[str, str], ...]
    ) -> Page:
        said = tuple((name, value) for name, value in query if value)
        request = resource.request("GET", namespace, query=said)
        answer = await self._api.call(request, answered={200, 404, 410})
        if answer.status == HTTPStatus.GONE:
            raise TemporaryError("the list changed too much while it was read")
        if answer.status == HTTPStatus.NOT_FOUND:
            raise _unknown(resource)
        try:
            found = members(answer.body)
            items = elements(found["items"])
            about = _ListMeta.model_validate_json(found["metadata"])
        except (Malformed, ValidationError, KeyError) as error:
            raise TemporaryError(f"the list of {resource} cannot be read") from error
        return Page(items=items, version=about.resource_version, after=about.continue_)

    async def replace(
        self, resource: Resource, *, namespace: str, name: str, manifest: bytes
    ) -> bytes | None:
        """Write an object anew where it still has the resource version that `manifest` names.

        Returns the object as it is now, or None where it has been changed since or is gone. A few
        kinds, Leases among them, are created anew where they are gone.
        """
        request = resource.request("PUT", namespace, name, body=manifest)
        answer = await self._api.call(request, answered={200, 201, 404, 409})
        return answer.body if answer.status in {HTTPStatus.OK, HTTPStatus.CREATED} else None

    def watch(
        self, resource: Resource, *, namespace: str | None, since: str
    ) -> AsyncGenerator[Told]:
        """Yield what happens to the objects of a kind after a resource version; see `watching`."""
        return watching.follow(self._api, resource, namespace=namespace, since=since)

    async def kinds(self, group: str) -> tuple[FoundKind, ...]:
        """Return the kinds of an API group that can be watched; none where it is not installed."""
        return await discovery.find_kinds(self._api, group)

    async def patch(
        self, resource: Resource, *, namespace: str, name: str, change: bytes
    ) -> bytes | None:
        """Merge `change` (JSON merge patch, RFC 7396) into an object.

        Returns the object as it is now, or None where there is none of that name. Raises
        TemporaryError where `change` names a resource version that is not the last any more.
        """
        request = resource.request(
            "PATCH",
            namespace,
            name,
            query=_STRICT,
            headers=(("Content-Type", "application/merge-patch+json"),),
            body=change,
        )
        answer = await self._api.call(request, answered={200, 404, 409})
        if answer.status == HTTPStatus.OK:
            return answer.body
        if answer.status == HTTPStatus.CONFLICT:
            raise _conflict(_status(answer))
        _check_known(resource, answer)
        return None


def _conflict(status: _Status) -> TemporaryError:
    return TemporaryError(f"the Kubernetes API has a conflict: {clean(status.message)}")


def _check_known(resource: Resource, answer: Answer) -> None:
    """Raise PermanentError where a 404 is about the kind and not about the object."""
    if _status(answer).reason != "NotFound":
        raise _unknown(resource)


def _unknown(resource: Resource) -> PermanentError:
    return PermanentError(f"the Kubernetes API does not know {resource}: is it installed?")


def _status(answer: Answer) -> _Status:
    try:
        return _Status.model_validate_json(answer.body)
    except ValidationError:
        return _Status()
