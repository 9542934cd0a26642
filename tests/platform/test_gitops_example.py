"""The example of a gitops repository is what Argo CD's sets, projects and a real cluster take."""

import copy
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from argocd_files import ask, built, of_kind
from gitops_files import ENVIRONMENTS, FOLDER, Object, applications, deployed, image, the
from servers.administrator import ObjectRefused
from servers.composites import write_crds
from servers.kubernetes import KubernetesServer, kubernetes

ESO = sorted((Path(__file__).parents[1] / "data/deployment-crds/external-secrets").glob("*.yaml"))
SETS = ("services", "requests")

pytestmark = pytest.mark.usefixtures("servers")


def made() -> list[Object]:
    return [one for of in SETS for one in applications(of).values()]


@pytest.fixture(scope="module")
def cluster(servers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KubernetesServer]:
    """A server with the environments as namespaces; it stands for both clusters."""
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    with kubernetes(platform=False) as server:
        server.install(*ESO, write_crds(tmp_path_factory.mktemp("crds")))
        for name in ENVIRONMENTS:
            metadata = {"name": name, "labels": restricted}
            server.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
            account = {"name": "default", "namespace": name}
            server.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
        yield server


def test_every_application_has_its_folder_and_every_folder_its_application() -> None:
    paths = {one["spec"]["source"]["path"] for one in made()}
    assert paths == {
        f"services/orders/{part}/{name}" for part in ("overlays", "infra") for name in ENVIRONMENTS
    }
    assert {path for path in paths if not (FOLDER / path / "kustomization.yaml").is_file()} == set()


def test_the_api_server_takes_what_is_deployed(cluster: KubernetesServer, tmp_path: Path) -> None:
    for application in made():
        environment = application["spec"]["destination"]["namespace"]
        objects = deployed(application, tmp_path)
        assert {one["metadata"]["namespace"] for one in objects} == {environment}
        for one in objects:
            cluster.apply(one)


def pods(objects: list[Object]) -> list[Object]:
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": one["metadata"]["name"],
                "namespace": one["metadata"]["namespace"],
                **one["spec"]["template"]["metadata"],
            },
            "spec": one["spec"]["template"]["spec"],
        }
        for one in objects
        if one["kind"] in {"Deployment", "Job"}
    ]


def test_pods_are_admitted_under_the_restricted_standard_and_have_no_token(
    cluster: KubernetesServer, tmp_path: Path
) -> None:
    for application in applications("services").values():
        found = pods(deployed(application, tmp_path))
        assert len(found) == 2
        for pod in found:
            (admitted,) = cluster.apply(pod, dry_run=True)
            tokens = [one for one in admitted["spec"].get("volumes", []) if "projected" in one]
            assert tokens == []
            (container,) = pod["spec"]["containers"]
            assert "@sha256:" in container["image"]
            spoilt = copy.deepcopy(pod)
            del spoilt["spec"]["containers"][0]["securityContext"]
            with pytest.raises(ObjectRefused, match='violates PodSecurity "restricted'):
                cluster.apply(spoilt, dry_run=True)


def test_the_smoke_test_is_a_bounded_hook_after_the_sync(tmp_path: Path) -> None:
    for application in applications("services").values():
        job = the(deployed(application, tmp_path), "Job")
        assert job["metadata"]["annotations"] == {
            "argocd.argoproj.io/hook": "PostSync",
            "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation",
        }
        spec = job["spec"]
        assert (spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (0, 120)
        assert spec["template"]["spec"]["restartPolicy"] == "Never"


def test_the_service_leads_to_the_server_and_not_to_its_smoke_test(tmp_path: Path) -> None:
    objects = deployed(applications("services")["orders-dev"], tmp_path)
    wanted = the(objects, "Service")["spec"]["selector"].items()
    leads = {
        kind: wanted <= the(objects, kind)["spec"]["template"]["metadata"]["labels"].items()
        for kind in ("Deployment", "Job")
    }
    assert leads == {"Deployment": True, "Job": False}


def test_production_asks_for_more_and_runs_what_staging_ran(tmp_path: Path) -> None:
    asked = {
        name: the(deployed(one, tmp_path), "PostgreSQLInstance")["spec"]["parameters"]
        for name, one in applications("requests").items()
    }
    assert (
        asked["orders-production-requests"]["storageGB"] > asked["orders-dev-requests"]["storageGB"]
    )
    services = applications("services")
    images = [image(deployed(services[f"orders-{name}"], tmp_path)) for name in ENVIRONMENTS[1:]]
    assert images[0] == images[1]


def permitted(application: Object, objects: list[Object]) -> list[str]:
    """Return what of this the Application's project takes where it is to go, as `Kind`."""
    spec = application["spec"]
    asks = [
        {
            "project": spec["project"],
            "destination": {
                "server": spec["destination"]["server"],
                "namespace": one["metadata"]["namespace"],
            },
            "kind": {
                "group": one["apiVersion"].rpartition("/")[0],
                "kind": one["kind"],
                "namespaced": True,
            },
        }
        for one in objects
    ]
    question = {"projects": of_kind(built(), "AppProject"), "asks": asks}
    answers = ask("permit", question)["answers"]
    return [one["kind"] for one, said in zip(objects, answers, strict=True) if said]


def test_its_project_takes_all_that_an_application_deploys(tmp_path: Path) -> None:
    for application in made():
        objects = deployed(application, tmp_path)
        assert permitted(application, objects) == [one["kind"] for one in objects]


def test_a_secret_or_a_request_in_an_overlay_is_refused_and_a_service_among_requests(
    tmp_path: Path,
) -> None:
    services, requests = applications("services"), applications("requests")
    service, request = services["orders-production"], requests["orders-production-requests"]
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": "production"}}
    asked = deployed(request, tmp_path)
    assert permitted(service, [secret, *asked]) == []
    assert permitted(request, [secret, *deployed(service, tmp_path)]) == []


def stray(folder: Path) -> None:
    file = folder / "services/orders/infra/base/database.yaml"
    file.write_text(file.read_text().replace("metadata:", "metadata:\n  namespace: production"))


def stray_overlay(folder: Path) -> None:
    file = folder / "services/orders/infra/dev/kustomization.yaml"
    file.write_text(file.read_text().replace("namespace: dev", "namespace: production"))


@pytest.mark.parametrize("mistake", [stray, stray_overlay])
def test_a_namespace_of_another_environment_is_not_followed(
    tmp_path: Path, mistake: Callable[[Path], None]
) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(FOLDER, tree)
    mistake(tree)
    objects = deployed(applications("requests")["orders-dev-requests"], tmp_path, tree=tree)
    assert [one["metadata"]["namespace"] for one in objects] == ["dev"]
