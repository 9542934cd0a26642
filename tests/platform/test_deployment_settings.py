"""The deployment and the hub's settings say the same: files, ports, topics, names."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from deployment_files import (
    OVERLAYS,
    ROOT,
    Object,
    built,
    container,
    files_in,
    of_kind,
    pod_spec,
    settings,
    the,
    workloads,
)
from servers.certificates import make_credentials

from hub.bus.kafka.preparation import _new_topic
from hub.bus.kafka.topics import Topics
from hub.settings import Secret, Settings
from hub.wiring.role import Role


@pytest.fixture(autouse=True)
def _kustomize(servers: None) -> None:
    """What the files are built with."""


def role_of(workload: Object) -> Role:
    args = container(workload)["args"]
    return Role(args[args.index("--role") + 1]) if "--role" in args else Role.ALL


def secret_files(*branches: object) -> set[str]:
    """Every file that these parts of the settings have secrets or certificates in."""
    found: set[str] = set()
    for branch in branches:
        if isinstance(branch, Secret):
            found.add(str(branch.file))
        elif isinstance(branch, tuple):
            found |= secret_files(*branch)
        elif hasattr(branch, "model_fields_set"):
            values = {name: getattr(branch, name) for name in type(branch).model_fields}
            found |= {str(values[name]) for name in ("ca_file",) if values.get(name)}
            found |= secret_files(*values.values())
    return found


def needed(role: Role, of: Settings) -> set[str]:
    doors = (of.receiver,) if role.receives else ()
    actions = (of.kubernetes, of.gitops, of.github, of.slack, of.pagerduty, of.postgres)
    return secret_files(of.kafka, *doors, *(actions if role.works else ()))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_each_pod_finds_the_secrets_that_its_role_needs_and_no_others(
    overlay: str, tmp_path: Path
) -> None:
    objects = built(overlay)
    of = settings(objects, tmp_path)
    for one in workloads(objects):
        assert files_in(one, objects) == needed(role_of(one), of)


def test_the_roles_are_those_of_the_hub() -> None:
    assert [role_of(one) for one in workloads(built("single"))] == [Role.ALL]
    assert {role_of(one) for one in workloads(built("production"))} == {
        Role.RECEIVER,
        Role.WORKER,
    }


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_hub_finds_nothing_wrong_with_the_settings_and_their_secrets(
    overlay: str, tmp_path: Path
) -> None:
    """With the container's folders below a folder of the test, and a secret in each file."""
    objects = built(overlay)
    (config,) = of_kind(objects, "ConfigMap")
    for file in {each for one in workloads(objects) for each in files_in(one, objects)}:
        place = tmp_path / file[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("a-secret-of-the-test-0123456789\n")
    authority = make_credentials(tmp_path).ca_file.read_text()
    for place in tmp_path.rglob("ca.crt"):
        place.write_text(authority)
    text = config["data"]["trunkline.yaml"]
    for folder in ("/run/trunkline", "/var/lib/trunkline"):
        text = text.replace(folder, f"{tmp_path}{folder}")
    settings_file = tmp_path / "trunkline.yaml"
    settings_file.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "hub", "check-config", "--config", settings_file],
        env={"PATH": os.environ["PATH"]},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "The settings are good." in done.stdout


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_ports_are_those_that_are_listened_on(overlay: str, tmp_path: Path) -> None:
    objects = built(overlay)
    of = settings(objects, tmp_path)
    assert of.admin.host == of.receiver.host == "0.0.0.0"  # noqa: S104  a pod's own
    for one in workloads(objects):
        ports = {port["name"]: port["containerPort"] for port in container(one)["ports"]}
        receives = {"http": of.receiver.port} if role_of(one).receives else {}
        assert ports == {"admin": of.admin.port} | receives


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_is_written_lies_on_volumes(overlay: str, tmp_path: Path) -> None:
    objects = built(overlay)
    of = settings(objects, tmp_path)
    for one in workloads(objects):
        mounts = [Path(each["mountPath"]) for each in container(one)["volumeMounts"]]
        written = [of.state, *([of.kafka.spool] if of.kafka.spool else [])]
        for path in (*written, Path("/tmp/body")):  # noqa: S108  the container's own
            assert any(path.is_relative_to(mount) for mount in mounts)


def test_what_must_not_be_lost_lies_on_a_disk_that_stays(tmp_path: Path) -> None:
    for overlay, name in (("single", "trunkline"), ("production", "trunkline-receiver")):
        workload = the(built(overlay), "StatefulSet", name)
        (claim,) = workload["spec"]["volumeClaimTemplates"]
        mounts = {one["name"]: one["mountPath"] for one in container(workload)["volumeMounts"]}
        assert mounts[claim["metadata"]["name"]] == "/var/lib/trunkline"
        assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
        retained = workload["spec"]["persistentVolumeClaimRetentionPolicy"]
        assert retained == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    single = settings(built("single"), tmp_path)
    assert single.bus == single.journal == "sqlite:////var/lib/trunkline/trunkline.db"
    spool = settings(built("production"), tmp_path).kafka.spool
    assert spool == Path("/var/lib/trunkline/spool.db")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_services_lead_to_ports_that_pods_have(overlay: str) -> None:
    objects = built(overlay)
    for service in of_kind(objects, "Service"):
        chosen = [
            one
            for one in workloads(objects)
            if service["spec"]["selector"].items()
            <= one["spec"]["template"]["metadata"]["labels"].items()
        ]
        assert chosen
        for port in service["spec"]["ports"]:
            for one in chosen:
                assert port["targetPort"] in {each["name"] for each in container(one)["ports"]}


def test_the_topics_are_as_the_hub_would_create_them(tmp_path: Path) -> None:
    objects = built("production")
    kafka = settings(objects, tmp_path).kafka
    assert kafka.create_topics is False
    declared = {one["metadata"]["name"]: one["spec"] for one in of_kind(objects, "KafkaTopic")}
    assert declared.keys() == set(Topics(kafka).all)
    for name, spec in declared.items():
        wanted = _new_topic(name, kafka)
        config = {key: str(value) for key, value in spec["config"].items()}
        del config["retention.ms"]
        assert (spec["partitions"], spec["replicas"]) == (
            wanted.num_partitions,
            wanted.replication_factor,
        )
        assert config == wanted.topic_configs


def test_the_user_of_kafka_may_use_its_topics_and_its_groups(tmp_path: Path) -> None:
    objects = built("production")
    of = settings(objects, tmp_path)
    (user,) = of_kind(objects, "KafkaUser")
    assert (user["metadata"]["name"], user["spec"]["authentication"]["type"]) == (
        of.kafka.username,
        of.kafka.mechanism.lower(),
    )
    acls = user["spec"]["authorization"]["acls"]
    topics = {acl["resource"]["name"] for acl in acls if acl["resource"]["type"] == "topic"}
    groups = {acl["resource"]["name"] for acl in acls if acl["resource"]["type"] == "group"}
    assert topics == set(Topics(of.kafka).all)
    assert groups == {f"{of.instance}."}


def test_no_more_workers_are_started_than_partitions_can_be_shared_by(tmp_path: Path) -> None:
    objects = built("production")
    (scaled,) = of_kind(objects, "ScaledObject")
    kafka = settings(objects, tmp_path).kafka
    assert 2 <= scaled["spec"]["minReplicaCount"] < scaled["spec"]["maxReplicaCount"]
    assert 2 * scaled["spec"]["maxReplicaCount"] <= kafka.partitions
    assert scaled["spec"]["scaleTargetRef"]["name"] == "trunkline-worker"


def test_the_network_lets_through_what_the_settings_name(tmp_path: Path) -> None:
    objects = built("production")
    of = settings(objects, tmp_path)
    named = {
        (rule["to"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"], port)
        for name in ("kafka", "postgres")
        for rule in the(objects, "NetworkPolicy", name)["spec"]["egress"]
        for port in (each["port"] for each in rule["ports"])
    }
    assert named == {("kafka", 9093), ("databases", 5432)}
    assert "platform-kafka-bootstrap.kafka.svc:9093" in of.bus
    assert "postgres.databases.svc:5432" in of.journal


def test_no_service_is_taken_for_a_setting() -> None:
    """Of a Service called `trunkline` Kubernetes makes variables called `TRUNKLINE_...`."""
    for overlay in OVERLAYS:
        for one in workloads(built(overlay)):
            assert pod_spec(one)["enableServiceLinks"] is False


def test_a_change_of_the_settings_starts_new_pods() -> None:
    for overlay in OVERLAYS:
        objects = built(overlay)
        (config,) = of_kind(objects, "ConfigMap")
        assert config["metadata"]["name"].startswith("trunkline-settings-")
        for one in workloads(objects):
            volumes = {each["name"]: each for each in pod_spec(one)["volumes"]}
            assert volumes["settings"]["configMap"]["name"] == config["metadata"]["name"]
