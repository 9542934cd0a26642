"""The rights that the deployment grants are the rights that the hub uses: no fewer, and no more.

The hub lives through its reactions with exactly the rules of `k8s/`: what they do not grant is
refused by the sandbox's API server, and what nothing asks for is too much.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from story_platform import CHANNEL, PRODUCTION, SOURCE, Platform, with_settings

from hub.sandbox.kubernetes import COMPOSITES, POSTGRESQL_INSTANCES, Access, Rule
from hub.sandbox.kubernetes.kinds import KINDS
from hub.sandbox.promotion import promote
from hub.sandbox.tekton.states import Outcome

DEPLOYMENT = Path(__file__).parents[2] / "k8s" / "overlays" / "production"

Object = dict[str, Any]


class Right(NamedTuple):
    """One verb on one resource, in one namespace or in all."""

    namespace: str
    resource: str
    verb: str


EVERYWHERE = ""


def rights(namespace: str, resource: str, *verbs: str) -> set[Right]:
    return {Right(namespace, resource, verb) for verb in verbs}


async def live(platform: Platform) -> None:
    """Let the hub do all that it does in a cluster: a new reaction is told of here."""
    world = platform.world
    await world.push()
    await platform.settled()
    world.tekton.outcome("order-service", Outcome.FAILED, message="3 tests failed")
    await world.push(branch="develop", message="Break it")
    await platform.settled()
    await try_out(platform, SOURCE)
    world.github.fork(SOURCE, "stranger")
    await try_out(platform, "stranger/order-service")
    await promote(world, "order-service")
    await platform.settled()
    await world.argocd.sync(PRODUCTION)
    await platform.settled()
    world.argocd.degrade(PRODUCTION, "readiness probe failed")
    for kind in COMPOSITES:
        world.crossplane.ask_for(kind, "orders")
        world.crossplane.say(kind, "orders", Synced=True, Ready=True)
    await platform.until_events(len(COMPOSITES), "io.crossplane.composite.ready")
    world.crossplane.say(POSTGRESQL_INSTANCES, "orders", message="no subnet", Synced=False)
    await platform.until_event("io.crossplane.composite.sync-failed")
    await platform.settled()


async def try_out(platform: Platform, head: str) -> None:
    """Ask to pull, and change it while it is being built: one build is cancelled, one fails."""
    github, tekton = platform.world.github, platform.world.tekton
    commit = await github.push(head, "topic", "Try this")
    pull = await github.open_pull_request(SOURCE, "topic", "Try this", head=head)
    tekton.pace.hold()
    github.comment(pull, f"/ok-to-test {commit.sha}", by="developer")
    await platform.hub_has_heard()
    commit = await github.push(head, "topic", "Try that")
    await platform.hub_has_heard()
    tekton.pace.release()
    await platform.settled()
    github.comment(pull, f"/ok-to-test {commit.sha}", by="developer")
    await platform.settled()


@pytest.fixture
def objects(kustomize_build: Callable[[Path], list[Object]]) -> list[Object]:
    return kustomize_build(DEPLOYMENT)


def granted(objects: list[Object]) -> Iterator[Right]:
    """What the worker is bound to."""
    roles = {_named(one, one["kind"]): one for one in objects if one["kind"].endswith("Role")}
    for binding in (one for one in objects if one["kind"].endswith("RoleBinding")):
        role = roles[_named(binding, binding["roleRef"]["kind"], binding["roleRef"]["name"])]
        for rule in role["rules"]:
            for group, plural in ((g, p) for g in rule["apiGroups"] for p in rule["resources"]):
                namespace = binding["metadata"].get("namespace", EVERYWHERE)
                yield from rights(namespace, f"{plural}.{group}", *rule["verbs"])


def _named(one: Object, kind: str, name: str = "") -> tuple[str, str, str]:
    metadata = one["metadata"]
    return kind, metadata.get("namespace", EVERYWHERE), name or metadata["name"]


def account(allowed: set[Right], token: str) -> Access:
    rules = tuple(
        Rule(
            kind=kind,
            verbs=frozenset({right.verb}),
            namespace=right.namespace or None,
        )
        for right in sorted(allowed)
        for kind in KINDS
        if kind.resource == right.resource
    )
    return Access(user="system:serviceaccount:trunkline:trunkline-worker", token=token, rules=rules)


def configured(objects: list[Object]) -> Object:
    """What the deployment's settings say of the cluster, but for where it is."""
    (config,) = [one for one in objects if one["kind"] == "ConfigMap"]
    settings: Object = yaml.safe_load(config["data"]["trunkline.yaml"])
    runs = {
        name: settings["kubernetes"][name] for name in ("namespace", "service_account", "forks")
    }
    return {"kubernetes": runs, "watcher": settings["watcher"]}


@pytest.fixture
def allowed(objects: list[Object]) -> set[Right]:
    return set(granted(objects))


@pytest.fixture
async def deployed(
    tmp_path: Path, objects: list[Object], allowed: set[Right]
) -> AsyncIterator[Platform]:
    """A platform whose API server knows the deployment's rules alone."""
    changes = with_settings(**configured(objects))
    one = Platform(tmp_path, changes, retry_seconds=0.01)
    one.world.cluster.namespaces.update(right.namespace for right in allowed if right.namespace)
    token = one.world.credentials.kubernetes_token.text
    one.world.kubernetes._accounts = (account(allowed, token),)
    async with one.open():
        yield one


def used(platform: Platform, allowed: set[Right]) -> set[Right]:
    """What was asked for: in all namespaces where that is how it is allowed."""
    asked = {
        Right(one.namespace or EVERYWHERE, one.kind.resource, one.verb)
        for one in platform.world.kubernetes.requests
    }
    wider = {one: one._replace(namespace=EVERYWHERE) for one in asked}
    return {wider[one] if wider[one] in allowed else one for one in asked}


async def test_the_rights_that_are_granted_are_those_that_are_used(
    deployed: Platform, allowed: set[Right]
) -> None:
    await live(deployed)
    assert await deployed.dead_letters() == []
    # Whoever stops gives the lease up.
    await deployed.restart()

    assert deployed.world.slack.messages(CHANNEL) != []
    assert used(deployed, allowed) <= allowed
    assert allowed - used(deployed, allowed) == set()


@pytest.mark.parametrize("verb", ["create", "get"])
async def test_a_right_that_is_taken_away_is_missed(
    deployed: Platform, allowed: set[Right], verb: str
) -> None:
    fewer = allowed - {right for right in allowed if right.verb == verb}
    token = deployed.world.credentials.kubernetes_token.text
    deployed.world.kubernetes._accounts = (account(fewer, token),)
    await live(deployed)

    assert {right.verb for right in used(deployed, allowed) - fewer} == {verb}
    assert await deployed.dead_letters() != []
