"""What the hub itself says, both ways: a handler emits `view.to_json()`, another reads the view."""

from typing import ClassVar, Literal

from hub.events.deployment import Stage
from hub.events.types import (
    DEPLOYMENT_CHANGED,
    IMAGE_BUMPED,
    IMAGE_SUPERSEDED,
    PIPELINE_RUN_QUEUED,
    RUN_DEAD_LETTERED,
)
from hub.events.view import View


class HubView(View):
    """An event of the hub's own."""

    def to_json(self) -> str:
        """Write it as the data of its event."""
        return self.model_dump_json()


class ImageBumped(HubView):
    """A build's image was written into an environment of the gitops repository."""

    types: ClassVar[tuple[str, ...]] = (IMAGE_BUMPED,)

    service: str
    environment: str
    repository: str
    """The source repository, `owner/name`."""
    revision: str
    """The source commit that was built."""
    digest: str
    """`sha256:` and 64 hexadecimal digits."""
    tag: str
    commit: str
    """The gitops commit."""
    bumped_at: str
    """RFC 3339, UTC."""


class ImageSuperseded(HubView):
    """A build's image was kept out of an environment by a newer one."""

    types: ClassVar[tuple[str, ...]] = (IMAGE_SUPERSEDED,)

    service: str
    environment: str
    revision: str
    """The source commit that was built."""
    reason: str
    built_at: str
    """RFC 3339, UTC."""


class DeploymentChanged(HubView):
    """A deployment was seen at a stage. Read its record for all that is known of it."""

    types: ClassVar[tuple[str, ...]] = (DEPLOYMENT_CHANGED,)

    service: str
    environment: str
    revision: str
    """The source commit on its way."""
    stage: Stage
    detail: str = ""


class RunDeadLettered(HubView):
    """A handler's run for an event has failed for good, or cannot go on by itself."""

    types: ClassVar[tuple[str, ...]] = (RUN_DEAD_LETTERED,)

    handler: str
    event_id: str
    event_source: str
    event_type: str
    state: Literal["dead", "parked"] = "dead"
    """Which of the two. Both stand among the dead letters."""
    error: str
    attempts: int


class PipelineRunQueued(HubView):
    """A PipelineRun was created, and waits until fewer of its service run."""

    types: ClassVar[tuple[str, ...]] = (PIPELINE_RUN_QUEUED,)

    namespace: str
    name: str
    uid: str
    service: str
