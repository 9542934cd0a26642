"""A Kubernetes API server as the sandbox has it, for custom resources only.

`Cluster` is the store with its rules, `KubernetesApi` serves it over HTTP. Nothing runs in it: what
happens to a PipelineRun or an Application is done by the sandbox's Tekton and Argo CD.
Concepts: https://kubernetes.io/docs/reference/using-api/api-concepts/.
"""

from hub.sandbox.kubernetes.access import Access, Rule
from hub.sandbox.kubernetes.cluster import Cluster
from hub.sandbox.kubernetes.kinds import (
    APPLICATIONS,
    COMPOSITES,
    DATABASES,
    EVENTS,
    KINDS,
    LEASES,
    PIPELINE_RUNS,
    POSTGRESQL_INSTANCES,
    TASK_RUNS,
    Kind,
    Object,
)
from hub.sandbox.kubernetes.server import KubernetesApi

__all__ = [
    "APPLICATIONS",
    "COMPOSITES",
    "DATABASES",
    "EVENTS",
    "KINDS",
    "LEASES",
    "PIPELINE_RUNS",
    "POSTGRESQL_INSTANCES",
    "TASK_RUNS",
    "Access",
    "Cluster",
    "Kind",
    "KubernetesApi",
    "Object",
    "Rule",
]
