"""What is installed beside Crossplane is pinned, and no more than the compositions need."""

import re
from pathlib import Path

import pytest
import yaml
from servers.composites import Object, definitions
from servers.kubernetes import KubernetesServer
from servers.kustomize import kustomize

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "crossplane"
AWS = sorted((ROOT / "tests" / "data" / "aws-crds").glob("*.yaml"))
LOCK = ROOT / "tests" / "servers" / "function.lock"


@pytest.fixture(scope="module")
def packages(servers: None) -> list[Object]:
    return kustomize(FOLDER / "packages")


@pytest.fixture(scope="module")
def cluster(kubernetes_server: KubernetesServer) -> KubernetesServer:
    kubernetes_server.install(*AWS)
    return kubernetes_server


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    return [one for one in objects if one["kind"] == kind]


def compositions() -> list[Object]:
    names = [one["spec"]["names"]["plural"] for one in definitions()]
    return [
        yaml.safe_load((FOLDER / "compositions" / f"{name}.yaml").read_text()) for name in names
    ]


def test_the_api_server_takes_what_is_installed(
    cluster: KubernetesServer, packages: list[Object]
) -> None:
    cluster.apply(*packages, dry_run=True)
    cluster.apply(yaml.safe_load((FOLDER / "aws.yaml").read_text()), dry_run=True)


def test_every_package_has_a_version(packages: list[Object]) -> None:
    named = of_kind(packages, "Provider") + of_kind(packages, "Function")
    assert len(named) == 5
    loose = [one for one in named if not re.search(r":v\d+\.\d+\.\d+$", one["spec"]["package"])]
    assert loose == []


def test_the_functions_are_those_of_the_pipelines(packages: list[Object]) -> None:
    wanted = {
        step["functionRef"]["name"] for one in compositions() for step in one["spec"]["pipeline"]
    }
    assert {one["metadata"]["name"] for one in of_kind(packages, "Function")} == wanted


def test_the_function_that_the_tests_run_is_the_one_that_is_installed(
    packages: list[Object],
) -> None:
    (one,) = of_kind(packages, "Function")
    assert one["metadata"]["name"] == "function-pythonic"
    tested = re.search(r"^crossplane-function-pythonic==(\S+)", LOCK.read_text(), re.MULTILINE)
    assert tested
    assert one["spec"]["package"].endswith(f":v{tested[1]}")


def test_each_service_has_its_provider_and_all_have_one_account(packages: list[Object]) -> None:
    (policy,) = of_kind(packages, "ManagedResourceActivationPolicy")
    services = {name.split(".")[1] for name in policy["spec"]["activate"]}
    providers = of_kind(packages, "Provider")
    assert {one["metadata"]["name"] for one in providers} == {
        f"provider-aws-{service}" for service in services
    }
    (runtime,) = of_kind(packages, "DeploymentRuntimeConfig")
    assert {one["spec"]["runtimeConfigRef"]["name"] for one in providers} == {
        runtime["metadata"]["name"]
    }


def test_compositions_sign_in_as_what_is_installed_and_no_key_is_kept() -> None:
    signing_in = yaml.safe_load((FOLDER / "aws.yaml").read_text())
    assert signing_in["spec"]["credentials"] == {"source": "PodIdentity"}
    for one in compositions():
        code = one["spec"]["pipeline"][-1]["input"]["composite"]
        (named,) = re.findall(r'providerConfigRef = (\{"kind": .+\})', code)
        assert yaml.safe_load(named) == {
            "kind": signing_in["kind"],
            "name": signing_in["metadata"]["name"],
        }
