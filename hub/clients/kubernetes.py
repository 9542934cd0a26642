"""The Kubernetes API server: create and get custom resources, over the hub's one HTTP client.

API conventions: https://kubernetes.io/docs/reference/using-api/api-concepts/. Objects go in and out
as JSON bytes; what is in them is read by the client of each system. Nothing is updated or deleted.
"""

from dataclasses import dataclass
from http import HTTPStatus

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from hub.clients.answer import Answer, clean
from hub.clients.endpoint import Endpoint
from hub.clients.http import Http, Request, path_of
from hub.errors import PermanentError, TemporaryError
from hub.secrets import SecretPlace
from hub.settings import KubernetesSettings

_QUOTA_WAIT_SECONDS = 60.0
"""A quota frees itself when other runs end, which takes minutes rather than seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A namespaced kind, as the API's addresses name it."""

    group: str
    version: str
    plural: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """The object was created; `body` is what the API server made of it."""

    body: bytes


@dataclass(frozen=True, slots=True)
class AlreadyExists:
    """An object of that name was there before; nothing was changed."""


class ObjectPart(BaseModel):
    """A part of an object: fields that nobody asks for are left alone, and null is absent."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, value: JsonValue) -> JsonValue:
        if not isinstance(value, dict):
            return value
        return {name: part for name, part in value.items() if part is not None}


class _Status(ObjectPart):
    """https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/."""

    reason: str = ""
    message: str = ""


class Kubernetes:
    """The API server, with the rights of one service account."""

    def __init__(
        self, *, settings: KubernetesSettings, http: Http, token: SecretPlace | None
    ) -> None:
        self._api = Endpoint(
            http,
            url=settings.url,
            system="the Kubernetes API",
            credential=token,
            ca_file=settings.ca_file,
        )

    async def create(
        self, resource: Resource, *, namespace: str, manifest: bytes
    ) -> Created | AlreadyExists:
        """Create the object that `manifest` (JSON) describes.

        Raises PermanentError where the API server refuses it for good (invalid, forbidden, denied
        by an admission webhook), TemporaryError where it may take it later (overload, quota).
        """
        request = Request(method="POST", path=_path(resource, namespace), body=manifest)
        answer = await self._api.call(request, answered={200, 201, 202, 403, 409})
        match (answer.status, _status(answer)):
            case (409, _Status(reason="AlreadyExists")):
                return AlreadyExists()
            case (409, status):
                raise TemporaryError(f"the Kubernetes API has a conflict: {clean(status.message)}")
            case (403, status) if "exceeded quota" in status.message:
                raise TemporaryError(clean(status.message), after=_QUOTA_WAIT_SECONDS)
            case (403, _):
                raise self._api.fault(answer)
            case _:
                return Created(body=answer.body)

    async def get(self, resource: Resource, *, namespace: str, name: str) -> bytes | None:
        """Return an object as JSON, or None where there is none of that name.

        Raises PermanentError where the API server does not know the kind: then its operator is
        missing, which must not be taken for a missing object.
        """
        request = Request(method="GET", path=_path(resource, namespace, name))
        answer = await self._api.call(request, answered={200, 404})
        if answer.status == HTTPStatus.OK:
            return answer.body
        if _status(answer).reason == "NotFound":
            return None
        kind = f"{resource.group}/{resource.version} {resource.plural}"
        raise PermanentError(f"the Kubernetes API does not know {kind}: is it installed?")


def _path(resource: Resource, namespace: str, *name: str) -> str:
    return path_of(
        "apis", resource.group, resource.version, "namespaces", namespace, resource.plural, *name
    )


def _status(answer: Answer) -> _Status:
    try:
        return _Status.model_validate_json(answer.body)
    except ValidationError:
        return _Status()
