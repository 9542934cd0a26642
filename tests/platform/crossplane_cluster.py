"""A cluster with Crossplane in it and what this repository gives it, and who else acts there."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import yaml
from servers.administrator import Administrator
from servers.composites import Object, definitions
from servers.crossplane_controllers import crossplane, install_definitions
from servers.kubernetes import KubernetesServer, kubernetes

FOLDER = Path(__file__).parents[2] / "crossplane"
DATA = Path(__file__).parents[1] / "data"
PATIENCE = 60.0
SPARE = "snapshots.rds.aws.m.upbound.io"
"""A kind that a provider has and nobody has activated."""

_PROVIDERS = DATA / "aws-crds"
_OTHERS = (
    _PROVIDERS / "aws.m.upbound.io_clusterproviderconfigs.yaml",
    DATA / "deployment-crds" / "external-secrets" / "external-secrets.io_pushsecrets.yaml",
)
_KEEPS = "finalizer.managedresource.crossplane.io"

_LOOK_SECONDS = 0.05
_TURNS = 40

Seen = TypeVar("Seen")


def documents(name: str) -> list[Object]:
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


def managed() -> list[Object]:
    """Return the providers' definitions as their packages bring them: none is active."""
    crds = [
        yaml.load(file.read_text(), yaml.CSafeLoader)
        for file in sorted(_PROVIDERS.glob("*.yaml"))
        if file not in _OTHERS
    ]
    (pattern,) = [one for one in crds if one["metadata"]["name"].startswith("parametergroups.")]
    text = json.dumps(pattern["spec"]).replace("parametergroup", "snapshot")
    spare = {
        "metadata": {"name": SPARE},
        "spec": json.loads(text.replace("ParameterGroup", "Snapshot")),
    }
    return [
        {
            "apiVersion": "apiextensions.crossplane.io/v1alpha1",
            "kind": "ManagedResourceDefinition",
            "metadata": {"name": one["metadata"]["name"]},
            "spec": {**one["spec"], "state": "Inactive"},
        }
        for one in (*crds, spare)
    ]


def compositions() -> list[Object]:
    names = [one["metadata"]["name"].partition(".")[0] for one in definitions()]
    return [one for name in names for one in documents(f"compositions/{name}.yaml")]


@contextmanager
def platform(folder: Path) -> Iterator["Platform"]:
    """Run a cluster with Crossplane and what is applied of this repository."""
    with kubernetes(platform=False) as server:
        install_definitions(server)
        server.install(*_OTHERS)
        server.apply(*documents("rights.yaml"), *documents("guard.yaml"))
        (policy,) = documents("packages/activation.yaml")
        with crossplane(
            server,
            folder,
            function="function-pythonic",
            asked=definitions(),
            managed=managed(),
            policy=policy,
        ) as role:
            server.apply(*compositions(), *documents("aws.yaml"))
            server.apply(*documents("examples/environment.yaml"))
            yield Platform(server=server, role=role)


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """The cluster, and who acts in it beside Crossplane."""

    server: KubernetesServer
    role: Object
    """The role that has all of Crossplane's rights."""

    def team(self) -> Administrator:
        """Return a member of a team, who may ask for what it needs."""
        (role,) = [
            one
            for one in documents("rights.yaml")
            if one["metadata"]["name"] == "platform-requests-edit"
        ]
        token = self.server.account(*role["rules"]).read_text()
        return Administrator(port=self.server.port, tls=self.server._tls, token=token)

    def asked(self, kind: str) -> Object:
        """Return what the example asks for of a kind, in a namespace of its own."""
        (one,) = [each for each in documents("examples/team.yaml") if each["kind"] == kind]
        return {
            **one,
            "metadata": {**one["metadata"], "namespace": self.server.fresh_namespace()},
        }

    def now(self, wanted: Object) -> Object:
        return self.server.get(wanted) or {}

    def parts(self, wanted: Object) -> dict[str, Object]:
        """Return what Crossplane has composed, by the names in the composition."""
        spec = self.now(wanted).get("spec", {})
        place = wanted["metadata"]["namespace"]
        found = [
            self.server.get({**ref, "metadata": {"namespace": place, "name": ref["name"]}})
            for ref in spec.get("crossplane", {}).get("resourceRefs", ())
        ]
        key = "crossplane.io/composition-resource-name"
        return {one["metadata"]["annotations"][key]: one for one in found if one}

    def say(self, part: Object, **at_provider: Any) -> None:
        """Say of a part what its controller does once it is there: a provider, External Secrets."""
        now = datetime.now(UTC).isoformat()
        healthy = [
            {"type": type_, "status": "True", "reason": "Available", "lastTransitionTime": now}
            for type_ in ("Synced", "Ready")
        ]
        self.server.patch_status(part, {"atProvider": at_provider, "conditions": healthy})

    def collect(self, parts: dict[str, Object]) -> None:
        """Delete what nobody owns any more, as Kubernetes does."""
        for part in parts.values():
            self.server.delete(part)

    def may_hand_over(self) -> bool:
        """Say whether Crossplane may make PushSecrets, as the API server has it now."""
        wish = {"verb": "patch", "group": "external-secrets.io", "resource": "pushsecrets"}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": f"system:serviceaccount:default:{self.role['metadata']['name']}",
                "resourceAttributes": wish,
            },
        }
        path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
        return bool(self.server.ask("POST", path, review)["status"]["allowed"])

    def hold(self, part: Object) -> None:
        """Keep a part until it is gone from AWS, as a provider does."""
        self.server.patch(part, {"metadata": {"finalizers": [_KEEPS]}})


def condition(of: Object, type_: str) -> Object:
    """Return a condition; where there is none, nothing."""
    conditions = of.get("status", {}).get("conditions", ())
    (found,) = [one for one in conditions if one["type"] == type_] or [{}]
    return found


async def until(
    look: Callable[[], Seen],
    holds: Callable[[Seen], bool],
    *,
    again: Callable[[], object] | None = None,
) -> Seen:
    """Look until what is seen is as it should be, and return it.

    What has to be done `again` is done every few seconds: what happens before Crossplane listens to
    a kind, or sees what somebody else has done, it hears of a minute later.
    """
    turn = 0
    async with asyncio.timeout(PATIENCE):
        while not holds(seen := await asyncio.to_thread(look)):
            if again and turn % _TURNS == 0:
                await asyncio.to_thread(again)
            turn += 1
            await asyncio.sleep(_LOOK_SECONDS)
    return seen
