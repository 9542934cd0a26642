"""The kinds that the sandbox's API server knows."""

from dataclasses import dataclass
from typing import Any

import orjson

Object = dict[str, Any]
"""A Kubernetes object as JSON. The store never changes one: a change makes a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A custom resource."""

    group: str
    version: str
    plural: str
    kind: str
    status_subresource: bool
    """Whether `status` is only written through `/status`."""
    fields: tuple[str, ...] = ()
    """What a field selector may ask for beside the name and the namespace."""

    @property
    def api_version(self) -> str:
        """`group/version`."""
        return f"{self.group}/{self.version}"

    @property
    def resource(self) -> str:
        """The kind as messages name it, `pipelineruns.tekton.dev`."""
        return f"{self.plural}.{self.group}"


PIPELINE_RUNS = Kind(
    group="tekton.dev",
    version="v1",
    plural="pipelineruns",
    kind="PipelineRun",
    status_subresource=True,
)
TASK_RUNS = Kind(
    group="tekton.dev",
    version="v1",
    plural="taskruns",
    kind="TaskRun",
    status_subresource=True,
)
EVENTS = Kind(
    group="events.k8s.io",
    version="v1",
    plural="events",
    kind="Event",
    status_subresource=False,
    fields=("regarding.uid", "type"),
)
CUSTOM_RUNS = Kind(
    group="tekton.dev",
    version="v1beta1",
    plural="customruns",
    kind="CustomRun",
    status_subresource=True,
)
"""Never became v1, as the other kinds of its group did."""
APPLICATIONS = Kind(
    group="argoproj.io",
    version="v1alpha1",
    plural="applications",
    kind="Application",
    status_subresource=False,
)
LEASES = Kind(
    group="coordination.k8s.io",
    version="v1",
    plural="leases",
    kind="Lease",
    status_subresource=False,
)
POSTGRESQL_INSTANCES, S3_BUCKETS, SQS_QUEUES = (
    Kind(
        group="platform.company.com",
        version="v1alpha1",
        plural=f"{kind.lower()}s",
        kind=kind,
        status_subresource=True,
    )
    for kind in ("PostgreSQLInstance", "S3Bucket", "SQSQueue")
)
DATABASES = Kind(
    group="rds.aws.m.upbound.io",
    version="v1beta1",
    plural="instances",
    kind="Instance",
    status_subresource=True,
)
"""What a PostgreSQLInstance is made of at the cloud's provider: a managed resource."""
COMPOSITES = (POSTGRESQL_INSTANCES, S3_BUCKETS, SQS_QUEUES)
KINDS = (
    PIPELINE_RUNS,
    TASK_RUNS,
    CUSTOM_RUNS,
    EVENTS,
    APPLICATIONS,
    LEASES,
    *COMPOSITES,
    DATABASES,
)


def unknown_kind(group: str, version: str, plural: str) -> Kind:
    """Return a kind that is not installed: rights to it are asked for before it is missed."""
    return Kind(group=group, version=version, plural=plural, kind="", status_subresource=False)


def copy_of(one: Object) -> Object:
    """Return a copy that shares nothing; through JSON, which is far faster than `deepcopy`."""
    copy: Object = orjson.loads(orjson.dumps(one))
    return copy


def labels_of(one: Object) -> dict[str, str]:
    """Return an object's labels."""
    labels: dict[str, str] = one["metadata"].get("labels") or {}
    return labels
