"""Objects of the Kubernetes API: where they are addressed, and how parts of them are read. Pure."""

from dataclasses import dataclass
from typing import Self

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from hub.clients.http import Request, path_of
from hub.errors import Malformed, TemporaryError
from hub.events.json_parts import only, shallow


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A kind, as the API's addresses name it."""

    group: str
    version: str
    plural: str

    def __str__(self) -> str:
        return f"{self.group}/{self.version} {self.plural}"

    def path(self, namespace: str | None, *name: str) -> str:
        """Return the address in a namespace; None is all of them, or a kind that has none."""
        place = () if namespace is None else ("namespaces", namespace)
        return path_of("apis", self.group, self.version, *place, self.plural, *name)

    def request(
        self,
        method: str,
        namespace: str | None,
        *name: str,
        query: tuple[tuple[str, str], ...] = (),
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes | None = None,
    ) -> Request:
        """Return a request at an address of the kind; an overload with others leaves it alone."""
        return Request(
            method=method,
            path=self.path(namespace, *name),
            query=query,
            headers=headers,
            body=body,
            lane=str(self),
        )


class ObjectPart(BaseModel):
    """A part of an object: fields that nobody asks for are left alone, and null is absent."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Read an object (JSON), however deep the rest of it is. Raises ValidationError."""
        try:
            return cls.model_validate_json(body)
        except ValidationError:
            return cls.model_validate_json(shallow(body))

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, value: JsonValue) -> JsonValue:
        if not isinstance(value, dict):
            return value
        return {name: part for name, part in value.items() if part is not None}


class _Metadata(ObjectPart):
    namespace: str = ""
    name: str


_NAME = ("metadata.namespace", "metadata.name")


class _Named(ObjectPart):
    metadata: _Metadata


def name_of(body: bytes) -> str:
    """Return what tells an object (JSON) from the others of its kind: `namespace/name`.

    Raises TemporaryError where it is no object.
    """
    try:
        metadata = _Named.model_validate_json(only(body, _NAME)).metadata
    except (Malformed, ValidationError) as error:
        raise TemporaryError("what the Kubernetes API sent is no object") from error
    return f"{metadata.namespace}/{metadata.name}"
