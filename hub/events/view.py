"""The base of the typed views: just the fields that are used, read from the raw bytes."""

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from hub.errors import Malformed
from hub.events.envelope import Envelope


class View(BaseModel):
    """A frozen reading of an event's data. Fields that nobody asks for are left alone.

    A subclass names the event types it reads. It must accept every real payload of those types:
    what a sender may leave out is optional here.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    types: ClassVar[tuple[str, ...]]

    @classmethod
    def read(cls, envelope: Envelope) -> Self:
        """Read the event's data. Raises Malformed, naming the fields and not their values."""
        try:
            return cls.model_validate_json(envelope.data)
        except ValidationError as error:
            places = ", ".join(
                f"{'.'.join(str(part) for part in one['loc']) or 'body'}: {one['msg']}"
                for one in error.errors(include_url=False, include_input=False)[:5]
            )
            raise Malformed(
                f"{cls.__name__} cannot be read from {envelope.type}: {places}"
            ) from error
