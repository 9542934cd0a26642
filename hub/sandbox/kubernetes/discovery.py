"""What the API server says of its groups and kinds.

Protocol: https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api, unaggregated.
"""

from collections.abc import Sequence

from hub.sandbox.kubernetes.kinds import Kind, Object

_VERBS = ["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"]


def group_document(group: str, kinds: Sequence[Kind]) -> Object | None:
    """Return the APIGroup of these kinds; None where none of them is in it."""
    versions = sorted({kind.version for kind in kinds if kind.group == group}, key=_rank)
    if not versions:
        return None
    named = [{"groupVersion": f"{group}/{one}", "version": one} for one in versions]
    return {
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": group,
        "versions": named,
        "preferredVersion": named[0],
    }


def _rank(version: str) -> tuple[bool, bool, str]:
    """Sort what is stable before what is beta, and that before what is alpha."""
    return "alpha" in version, "beta" in version, version


def version_document(group: str, version: str, kinds: Sequence[Kind]) -> Object | None:
    """Return the APIResourceList of one version; None where nothing is in it."""
    served = [kind for kind in kinds if (kind.group, kind.version) == (group, version)]
    if not served:
        return None
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}",
        "resources": [one for kind in served for one in _resources(kind)],
    }


def _resources(kind: Kind) -> list[Object]:
    one: Object = {
        "name": kind.plural,
        "singularName": kind.kind.lower(),
        "namespaced": True,
        "kind": kind.kind,
        "verbs": _VERBS,
    }
    status = {**one, "name": f"{kind.plural}/status", "verbs": ["get", "patch", "update"]}
    return [one, status] if kind.status_subresource else [one]
