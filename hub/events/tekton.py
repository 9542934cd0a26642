"""What handlers read of Tekton's events. An event is unsigned, so it is a hint: ask the cluster.

Tekton sends the run as a v1beta1 object, also where a v1 object is stored, so results may stand
under either name: https://tekton.dev/docs/pipelines/events/. The annotations and labels under
`trunkline.dev/` are those that the hub writes on the runs it starts.
"""

from typing import Annotated, Any, ClassVar

from pydantic import AliasChoices, AliasPath, BaseModel, BeforeValidator, ConfigDict, Field

from hub.events.kubernetes import Conditions, Text, condition, none_for_null
from hub.events.types import (
    PIPELINE_RUN_FAILED,
    PIPELINE_RUN_RUNNING,
    PIPELINE_RUN_STARTED,
    PIPELINE_RUN_SUCCESSFUL,
)
from hub.events.view import View

REPOSITORY = "trunkline.dev/repository"
"""Annotation: `owner/name` on GitHub."""
BRANCH = "trunkline.dev/branch"
"""Annotation: the branch that was pushed, missing for a pull request."""
REVISION = "trunkline.dev/revision"
"""Annotation: the source commit's SHA."""
SERVICE = "trunkline.dev/service"
"""Label: the service that is built."""
PIPELINE = "tekton.dev/pipeline"
"""Label that Tekton itself sets."""
SUCCEEDED = "Succeeded"
"""The condition that says how a run stands."""


class Result(BaseModel):
    """One of a run's results: a string, or a list or an object of strings."""

    model_config = ConfigDict(frozen=True)

    name: str
    value: Any = None


Results = Annotated[tuple[Result, ...], BeforeValidator(none_for_null)]


class PipelineRunView(View):
    """What both views of a PipelineRun read. Empty strings where the object says nothing."""

    namespace: Text = Field("", validation_alias=AliasPath("pipelineRun", "metadata", "namespace"))
    name: Text = Field("", validation_alias=AliasPath("pipelineRun", "metadata", "name"))
    uid: Text = Field("", validation_alias=AliasPath("pipelineRun", "metadata", "uid"))
    pipeline: Text = Field(
        "",
        validation_alias=AliasChoices(
            AliasPath("pipelineRun", "metadata", "labels", PIPELINE),
            AliasPath("pipelineRun", "spec", "pipelineRef", "name"),
        ),
    )
    service: Text = Field(
        "", validation_alias=AliasPath("pipelineRun", "metadata", "labels", SERVICE)
    )
    repository: Text = Field(
        "", validation_alias=AliasPath("pipelineRun", "metadata", "annotations", REPOSITORY)
    )
    branch: Text = Field(
        "", validation_alias=AliasPath("pipelineRun", "metadata", "annotations", BRANCH)
    )
    revision: Text = Field(
        "", validation_alias=AliasPath("pipelineRun", "metadata", "annotations", REVISION)
    )
    conditions: Conditions = Field(
        (), validation_alias=AliasPath("pipelineRun", "status", "conditions")
    )

    @property
    def reason(self) -> str:
        """The `Succeeded` condition's reason: `Running`, `Failed`, `PipelineRunTimeout` ..."""
        return condition(self.conditions, SUCCEEDED).reason

    @property
    def message(self) -> str:
        """The `Succeeded` condition's message, for people."""
        return condition(self.conditions, SUCCEEDED).message


class PipelineRunStarted(PipelineRunView):
    """A PipelineRun has begun, or goes on. `running` comes again with every change of its state."""

    types: ClassVar[tuple[str, ...]] = (PIPELINE_RUN_STARTED, PIPELINE_RUN_RUNNING)

    started_at: Text = Field("", validation_alias=AliasPath("pipelineRun", "status", "startTime"))


class PipelineRunFinished(PipelineRunView):
    """A PipelineRun has succeeded, or has failed, been cancelled or timed out."""

    types: ClassVar[tuple[str, ...]] = (PIPELINE_RUN_SUCCESSFUL, PIPELINE_RUN_FAILED)

    completed_at: Text = Field(
        "", validation_alias=AliasPath("pipelineRun", "status", "completionTime")
    )
    all_results: Results = Field(
        (),
        validation_alias=AliasChoices(
            AliasPath("pipelineRun", "status", "pipelineResults"),
            AliasPath("pipelineRun", "status", "results"),
        ),
    )

    @property
    def succeeded(self) -> bool:
        """Whether the run did what it was for."""
        return condition(self.conditions, SUCCEEDED).status == "True"

    @property
    def results(self) -> dict[str, str]:
        """The pipeline's string results, by name."""
        return {one.name: one.value for one in self.all_results if isinstance(one.value, str)}
