"""The marks by which the hub knows its PipelineRuns again."""

from hub.clients.kubernetes import ObjectPart

MANAGED_BY = "app.kubernetes.io/managed-by"
US = "trunkline"
SERVICE = "trunkline.dev/service"
REPOSITORY = "trunkline.dev/repository"
BRANCH = "trunkline.dev/branch"
REVISION = "trunkline.dev/revision"
REF = "trunkline.dev/ref"
ATTEMPT = "trunkline.dev/attempt"
EVENT_ID = "trunkline.dev/event-id"
PULL_REQUEST = "trunkline.dev/pull-request"

PENDING = "PipelineRunPending"
"""Tekton does not begin a run whose `spec.status` says so, until it says it no more."""


class Named(ObjectPart):
    """A reference by name."""

    name: str = ""
