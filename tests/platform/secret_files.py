"""Which stores of secrets there are in each cluster, who uses them, and what their roles may do."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml
from servers import kustomize

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "external-secrets"

SERVICE = "argocd/examples/gitops/services/orders"
CLUSTERS = {
    "platform": (
        "argocd",
        "crossplane",
        "k8s/overlays/production",
        "external-secrets/platform",
        "tekton",
        "tekton/triggers",
    ),
    "workloads": (
        "external-secrets/workloads",
        "crossplane/examples/application-cluster.yaml",
        *(f"{SERVICE}/overlays/{name}" for name in ("dev", "staging", "production")),
    ),
}
"""What is applied to each cluster, of which there may be several: folders to build, and files."""

_ALIKE: dict[str, tuple[str, dict[str, str]]] = {
    "trunkline-secrets": ("secrets-ci", {":ci/": ":trunkline/"}),
    **{
        f"secrets-{name}": (
            "secrets-production",
            {
                ":platform/production/": f":platform/{name}/",
                "rds!db-01234567": f"rds!db-{password}",
            },
        )
        for name, password in (("dev", "aaaaaaaa"), ("staging", "bbbbbbbb"))
    },
}
"""What the page says in words: which role is as another, and what is different."""

_POLICY = re.compile(r"^```json (\S+)\n(.+?)^```$", re.MULTILINE | re.DOTALL)

Object = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """Something that reads or writes a secret through a store."""

    cluster: str
    name: str
    namespace: str
    store: str
    keys: frozenset[str]
    """As Secrets Manager names them, or their ARNs."""


def objects(cluster: str) -> list[Object]:
    return [one for place in CLUSTERS[cluster] for one in _read(ROOT / place)]


def _read(place: Path) -> list[Object]:
    if place.is_dir():
        return kustomize.built(place)
    return [one for one in yaml.safe_load_all(place.read_text()) if one]


def stores(cluster: str) -> dict[str, Object]:
    found = [one for one in objects(cluster) if one["kind"] == "ClusterSecretStore"]
    named = {one["metadata"]["name"]: one for one in found}
    assert len(named) == len(found)
    return named


def namespaces(store: Object) -> set[str]:
    return {name for one in store["spec"]["conditions"] for name in one["namespaces"]}


def account(cluster: str, store: Object) -> Object:
    """Return the account that a store acts as, which lies in the same cluster."""
    wanted = store["spec"]["provider"]["aws"]["auth"]["jwt"]["serviceAccountRef"]
    (found,) = (
        one
        for one in objects(cluster)
        if one["kind"] == "ServiceAccount"
        and {name: one["metadata"][name] for name in wanted} == wanted
    )
    return found


def reads(cluster: str) -> Iterator[Use]:
    """Return what the ExternalSecrets of a cluster read."""
    for one in objects(cluster):
        if one["kind"] == "ExternalSecret":
            spec = one["spec"]
            assert spec["secretStoreRef"]["kind"] == "ClusterSecretStore"
            yield Use(
                cluster=cluster,
                name=one["metadata"]["name"],
                namespace=one["metadata"]["namespace"],
                store=spec["secretStoreRef"]["name"],
                keys=frozenset(_keys(spec)),
            )


def _keys(spec: Object) -> Iterator[str]:
    for one in spec.get("data", ()):
        yield one["remoteRef"]["key"]
    for one in spec.get("dataFrom", ()):
        yield one["extract"]["key"]


def policies() -> dict[str, Object]:
    """Return what the page says that each role may do, by the name of the role."""
    blocks = _POLICY.findall((FOLDER / "README.md").read_text())
    return {name: json.loads(block) for name, block in blocks}


def policy(role: str) -> Object:
    """Return a role's policy; of those that are alike the page shows one."""
    shown, changes = _ALIKE.get(role, (role, {}))
    text = json.dumps(policies()[shown])
    for there, here in changes.items():
        assert there in text
        text = text.replace(there, here)
    return dict(json.loads(text))


def may(policy: Object, action: str, key: str) -> bool:
    """Whether a policy allows an action on a secret, its conditions being met."""
    arn = key if key.startswith("arn:") else f"{_PLACE}{key}-a1b2c3"
    return any(
        action in listed(one["Action"])
        and any(fnmatchcase(arn, each) for each in listed(one["Resource"]))
        for one in policy["Statement"]
    )


_PLACE = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:"


def listed(value: str | Iterable[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
