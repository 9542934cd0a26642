"""The stages, their order and their gates, and how little each may do."""

import itertools
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from tekton_files import ROOT, TRUSTED, UNTRUSTED, Object, built, step, the

pytestmark = pytest.mark.usefixtures("servers")

LANES = [TRUSTED, UNTRUSTED]
DIGEST = re.compile(r"[a-z0-9.-]+/[a-z0-9./-]+@sha256:[0-9a-f]{64}")
BASELINE = {
    *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD"),
    *("NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"),
}
"""What the baseline Pod Security Standard lets a container add.
https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline"""


def stages(namespace: str = TRUSTED) -> dict[str, Any]:
    spec = the(built(), "Pipeline", "microservice-ci", namespace)["spec"]
    return {one["name"]: one for one in spec["tasks"]}


def order(namespace: str) -> dict[str, list[str]]:
    return {name: sorted(one.get("runAfter", [])) for name, one in stages(namespace).items()}


def tasks() -> list[Object]:
    return [one for one in built() if one["kind"] == "Task"]


def containers(task: Object) -> Iterator[Any]:
    """Yield each step with what it is given by the Task's template, as Tekton merges it."""
    template = task["spec"].get("stepTemplate", {})
    for one in task["spec"]["steps"]:
        yield template | one


def secrets_of(part: Any) -> list[str]:
    """Return the names of the secrets that a part of a Task refers to."""
    text = yaml.safe_dump(part, width=1000)
    return re.findall(r"secretName: (\S+)", text) + re.findall(
        r"secretKeyRef:\s+key: \S+\s+name: (\S+)", text
    )


def every_container() -> list[Any]:
    return [one for task in tasks() for one in containers(task)]


def test_the_stages_run_in_this_order() -> None:
    assert order(TRUSTED) == {
        "clone": [],
        "unit-test": ["clone"],
        "owasp": ["clone"],
        "sast": ["unit-test"],
        "build-jar": ["owasp", "sast"],
        "image-build": ["build-jar"],
        "image-scan": ["image-build"],
        "push": ["image-scan"],
    }


@pytest.mark.parametrize("namespace", LANES)
def test_in_the_end_there_is_a_summary_whatever_happened(namespace: str) -> None:
    (last,) = the(built(), "Pipeline", "microservice-ci", namespace)["spec"]["finally"]
    assert last["name"] == "notify"
    assert "when" not in last
    assert not secrets_of(the(built(), "Task", "notify", namespace))


def test_an_image_is_pushed_only_where_the_hub_says_so() -> None:
    guarded = {name: one["when"] for name, one in stages().items() if "when" in one}
    only = {"input": "$(params.push-image)", "operator": "in", "values": ["true"]}
    assert guarded == {"push": [only]}


def test_what_is_pushed_is_what_was_scanned_and_what_was_scanned_is_what_was_built() -> None:
    def given(name: str) -> Any:
        return {one["name"]: one["value"] for one in stages()[name]["params"]}["image-digest"]

    assert given("image-scan") == "$(tasks.image-build.results.IMAGE_DIGEST)"
    assert given("push") == "$(tasks.image-scan.results.IMAGE_DIGEST)"
    place = "$(workspaces.source.path)/image"
    assert f"--oci-layout-path={place}" in step("image-build", "build")["args"]
    for one in (step("image-scan", "scan"), step("push", "push")):
        assert {"name": "LAYOUT", "value": place} in one["env"]


def test_building_an_image_pushes_nothing_and_has_nothing_to_push_with() -> None:
    build = step("image-build", "build")
    assert "--no-push" in build["args"]
    assert not any("destination" in one for one in build["args"])
    assert not secrets_of(the(built(), "Task", "image-build"))


def test_sonar_is_waited_for() -> None:
    assert "-Dsonar.qualitygate.wait=true" in step("sast", "analyse")["script"]


def test_a_vulnerability_of_7_or_more_fails() -> None:
    check = step("owasp", "check")
    assert "-DfailBuildOnCVSS=7" in check["script"]
    assert "-DnvdApiKeyEnvironmentVariable=NVD_API_KEY" in check["script"]
    secrets = {one["name"] for one in check["env"] if "secretKeyRef" in one.get("valueFrom", {})}
    assert secrets == {"NVD_API_KEY", "OSS_INDEX_USERNAME", "OSS_INDEX_PASSWORD"}


def test_no_code_of_the_service_runs_beside_a_secret() -> None:
    """Maven runs what a pom names, so that beside a secret it is given a pom of ours."""
    with_secrets = [
        one
        for task in tasks()
        for one in containers(task)
        if secrets_of(one) or secrets_of(task["spec"].get("volumes"))
    ]
    assert {one["name"] for one in with_secrets} == {"clone", "analyse", "check", "push"}
    for one in with_secrets:
        assert "/source" not in one.get("workingDir", "")
        assert "mvn" not in one["script"] or '--file "$HOME/pom.xml"' in one["script"]


def test_every_image_is_pinned_by_its_digest() -> None:
    images = {one["image"] for one in every_container()}
    assert len(images) >= 5
    assert [one for one in images if not DIGEST.fullmatch(one)] == []


def test_every_digest_has_its_tag_beside_it_and_its_origin_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    lines = [
        line.split("image:")[1].strip()
        for file in ROOT.rglob("*.yaml")
        for line in file.read_text().splitlines()
        if line.strip().startswith("image:")
    ]
    assert lines
    for line in lines:
        image, _, tag = line.partition(" # ")
        assert tag
        assert f"`{tag}`" in readme
        assert image.partition("@")[2] in readme


def test_no_release_of_trivy_that_was_tampered_with_is_used() -> None:
    (tag,) = re.findall(
        r"aquasecurity/trivy@\S+ # (\S+)", (ROOT / "tasks/image-scan.yaml").read_text()
    )
    assert tag not in {"0.69.4", "0.69.5", "0.69.6"}


def test_no_container_may_do_more_than_baseline() -> None:
    for one in every_container():
        context = one["securityContext"]
        assert not context.get("privileged")
        assert context["allowPrivilegeEscalation"] is False
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert context["capabilities"]["drop"] == ["ALL"]
        assert set(context["capabilities"].get("add", [])) <= BASELINE
    for task in tasks():
        kinds = {kind for one in task["spec"].get("volumes", []) for kind in one} - {"name"}
        assert kinds <= {"emptyDir", "secret", "persistentVolumeClaim"}


def test_only_kaniko_is_root() -> None:
    roots = {
        (task["metadata"]["name"], one["name"])
        for task in tasks()
        for one in containers(task)
        if not one["securityContext"].get("runAsNonRoot")
    }
    assert roots == {("image-build", "build"), ("push", "push")}
    assert "add" not in step("push", "push")["securityContext"]["capabilities"]


def test_every_container_says_what_it_takes() -> None:
    for one in every_container():
        assert one["computeResources"].keys() == {"requests", "limits"}


def test_a_stranger_is_given_nothing() -> None:
    lane = [one for one in built() if one["metadata"].get("namespace") == UNTRUSTED]
    assert {one["kind"] for one in lane} == {
        *("Pipeline", "Task", "ServiceAccount"),
        *("LimitRange", "NetworkPolicy", "ResourceQuota"),
    }
    for one in lane:
        if one["kind"] in {"Task", "Pipeline"}:
            del one["spec"]["description"]
            assert not re.search("secret|configMap|persistentVolumeClaim", yaml.safe_dump(one))
    assert stages(UNTRUSTED).keys() == stages().keys() - {"owasp", "sast", "push"}


@pytest.mark.parametrize("namespace", LANES)
def test_a_run_has_no_token_for_the_cluster(namespace: str) -> None:
    accounts = [
        one
        for one in built()
        if one["kind"] == "ServiceAccount" and one["metadata"]["namespace"] == namespace
    ]
    assert accounts
    assert all(one["automountServiceAccountToken"] is False for one in accounts)


@pytest.mark.parametrize("namespace", LANES)
def test_the_network_is_closed_but_for_what_is_needed(namespace: str) -> None:
    policies = [
        one["spec"]
        for one in built()
        if one["kind"] == "NetworkPolicy" and one["metadata"]["namespace"] == namespace
    ]
    assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} in policies
    assert not any("ingress" in one for one in policies)
    rules = list(itertools.chain.from_iterable(one.get("egress", []) for one in policies))
    ports = {port["port"] for rule in rules for port in rule["ports"]}
    assert ports == {53, 443}
    blocks = [to["ipBlock"] for rule in rules for to in rule["to"] if "ipBlock" in to]
    excepted = {one for block in blocks for one in block["except"]}
    assert "169.254.0.0/16" in excepted
    assert ("10.0.0.0/8" in excepted) is (namespace == UNTRUSTED)


@pytest.mark.parametrize("namespace", LANES)
def test_a_lane_has_limits_and_a_standard_for_its_pods(namespace: str) -> None:
    (lane,) = (
        one
        for one in built()
        if one["kind"] == "Namespace" and one["metadata"]["name"] == namespace
    )
    assert lane["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "baseline"
    assert the(built(), "ResourceQuota", "runs", namespace)
    assert the(built(), "LimitRange", "runs", namespace)


def test_no_secret_lies_in_the_files() -> None:
    kinds = [
        one["kind"]
        for file in ROOT.rglob("*.yaml")
        for one in yaml.safe_load_all(file.read_text())
        if isinstance(one, dict)
    ]
    assert "Secret" not in kinds


def test_every_secret_that_a_task_reads_is_fetched_from_outside() -> None:
    fetched = {
        one["metadata"]["name"]: {key["secretKey"] for key in one["spec"]["data"]}
        for one in built()
        if one["kind"] == "ExternalSecret"
    }
    text = yaml.safe_dump_all(tasks(), width=1000)
    read = set(re.findall(r"secretKeyRef:\s+key: (\S+)\s+name: (\S+)", text))
    assert len(read) >= 4
    assert all(key in fetched[name] for key, name in read)
    assert "registry-credentials" in fetched


def test_the_settings_of_tekton_are_of_use_to_it() -> None:
    config = {
        file.stem: yaml.safe_load(file.read_text()) for file in (ROOT / "config").glob("*.yaml")
    }
    assert config["config-events"]["data"]["formats"] == "tektonv1"
    assert config["config-events"]["data"]["sink"].endswith("/webhooks/tekton/KEY")
    assert config["feature-flags"]["data"]["set-security-context"] == "true"
    pods = yaml.safe_load(config["config-defaults"]["data"]["default-pod-template"])
    assert pods["automountServiceAccountToken"] is False
    assert pods["securityContext"]["fsGroup"] == 65532


def test_runs_are_pruned() -> None:
    pruner = yaml.safe_load((ROOT / "config" / "pruner.yaml").read_text())
    assert pruner["metadata"]["labels"] == {
        "app.kubernetes.io/part-of": "tekton-pruner",
        "pruner.tekton.dev/config-type": "global",
    }
    spec = yaml.safe_load(pruner["data"]["global-config"])
    assert spec.keys() == {
        *("enforcedConfigLevel", "ttlSecondsAfterFinished"),
        *("successfulHistoryLimit", "failedHistoryLimit"),
    }
    assert spec["ttlSecondsAfterFinished"] == 7 * 24 * 3600
