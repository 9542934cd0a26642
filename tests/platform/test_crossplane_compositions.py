"""Whatever a team asks for, what is made of it is private, encrypted and backed up.

Crossplane's own function composes it, over gRPC.
"""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from composing import (
    FOLDER,
    answered,
    asked,
    compose,
    composition,
    environment,
    fatal,
    platform,
    specs,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers.administrator import ObjectRefused
from servers.function import Function, function
from servers.kubernetes import KubernetesServer

Object = dict[str, Any]

DATA = Path(__file__).parents[1] / "data"
AWS = sorted((DATA / "aws-crds").glob("*.yaml"))
PUSH_SECRETS = (
    DATA / "deployment-crds" / "external-secrets" / "external-secrets.io_pushsecrets.yaml"
)
NAMESPACES = st.sampled_from(["dev", "staging", "production", "orders", "production-2"])
ANY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
MADE = {
    "PostgreSQLInstance": {
        "instance": {
            "address": "orders.abc.eu-central-1.rds.amazonaws.com",
            "masterUserSecret": [{"secretArn": "arn:aws:secretsmanager:eu-central-1:1:secret:x"}],
        }
    },
    "S3Bucket": {"bucket": {"arn": "arn:aws:s3:::invoices"}},
    "SQSQueue": {
        name: {"url": f"https://sqs.example.com/{name}", "arn": f"arn:aws:sqs:x:1:{name}"}
        for name in ("queue", "dead-letters")
    },
}
"""What AWS says once the first resources are there."""


@pytest.fixture(scope="module")
def composer(servers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Function]:
    with function(tmp_path_factory.mktemp("function") / "function.log") as one:
        yield one


def whole(composer: Function, wanted: Object, **more: Any) -> dict[str, Object]:
    """Compose it when AWS has answered for what is made first."""
    observed = {
        name: {
            "metadata": {"annotations": {"crossplane.io/external-name": name}},
            "status": {"atProvider": said},
        }
        for name, said in MADE[wanted["kind"]].items()
    }
    return compose(composer, wanted, observed=observed, **more)


def provider(made: dict[str, Object], name: str) -> Object:
    found: Object = made[name]["spec"]["forProvider"]
    return found


@ANY
@given(spec=specs("PostgreSQLInstance"), namespace=NAMESPACES)
def test_any_database_is_private_encrypted_and_backed_up(
    composer: Function, spec: Object, namespace: str
) -> None:
    made = whole(composer, asked("PostgreSQLInstance", spec, namespace=namespace))
    instance = provider(made, "instance")
    key = environment()["kmsKeyArn"]
    assert (instance["storageEncrypted"], instance["kmsKeyId"]) == (True, key)
    assert instance["publiclyAccessible"] is False
    assert instance["deletionProtection"] is True
    assert instance["skipFinalSnapshot"] is False
    assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)+", instance["finalSnapshotIdentifier"])
    assert instance["copyTagsToSnapshot"] is True
    assert instance["autoMinorVersionUpgrade"] is True
    assert 7 <= instance["backupRetentionPeriod"] <= 35
    assert instance["manageMasterUserPassword"] is True
    assert not {"password", "passwordSecretRef", "autoGeneratePassword"} & instance.keys()
    assert (instance["monitoringInterval"], instance["performanceInsightsEnabled"]) == (60, True)
    assert instance["monitoringRoleArn"] == environment()["monitoringRoleArn"]
    assert instance["enabledCloudwatchLogsExports"] == ["postgresql", "upgrade"]
    assert instance["multiAz"] is (namespace == "production" or spec["parameters"]["multiAZ"])
    assert instance["allocatedStorage"] == spec["parameters"]["storageGB"]

    parameters = {one["name"]: one["value"] for one in provider(made, "parameters")["parameter"]}
    assert parameters["rds.force_ssl"] == "1"
    assert {"log_connections", "statement_timeout"} <= parameters.keys()
    assert provider(made, "subnets")["subnetIds"] == environment()["privateSubnetIds"]
    way_in = provider(made, "way-in")
    assert way_in["referencedSecurityGroupId"] == environment()["workloadSecurityGroupId"]
    assert not {"cidrIpv4", "cidrIpv6", "prefixListId"} & way_in.keys()
    assert {one["metadata"]["namespace"] for one in made.values()} == {namespace}


@ANY
@given(spec=specs("PostgreSQLInstance"), namespace=NAMESPACES)
def test_any_database_is_behind_its_own_firewall_with_its_own_parameters(
    composer: Function, spec: Object, namespace: str
) -> None:
    made = whole(composer, asked("PostgreSQLInstance", spec, namespace=namespace))
    instance = provider(made, "instance")
    for joined in ("dbSubnetGroupName", "vpcSecurityGroupId", "parameterGroupName"):
        assert instance[f"{joined}Selector"] == {"matchControllerRef": True}
    way_in = provider(made, "way-in")
    assert way_in["securityGroupIdSelector"] == {"matchControllerRef": True}
    assert (way_in["ipProtocol"], way_in["fromPort"], way_in["toPort"]) == ("tcp", 5432, 5432)
    assert provider(made, "firewall")["vpcId"] == environment()["vpcId"]
    key = environment()["kmsKeyArn"]
    assert instance["masterUserSecretKmsKeyId"] == key
    assert instance["performanceInsightsKmsKeyId"] == key
    assert instance["iamDatabaseAuthenticationEnabled"] is True
    assert instance["deleteAutomatedBackups"] is False


@ANY
@given(spec=specs("S3Bucket"), namespace=NAMESPACES)
def test_any_bucket_is_private_encrypted_versioned_and_over_tls(
    composer: Function, spec: Object, namespace: str
) -> None:
    made = whole(composer, asked("S3Bucket", spec, namespace=namespace))
    blocks = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    assert all(provider(made, "public-access")[block] is True for block in blocks)
    assert provider(made, "bucket")["forceDestroy"] is False
    assert provider(made, "ownership")["rule"] == {"objectOwnership": "BucketOwnerEnforced"}
    assert provider(made, "versioning")["versioningConfiguration"] == {"status": "Enabled"}
    (rule,) = provider(made, "encryption")["rule"]
    assert rule["applyServerSideEncryptionByDefault"] == {
        "sseAlgorithm": "aws:kms",
        "kmsMasterKeyId": environment()["kmsKeyArn"],
    }
    (rule,) = provider(made, "lifecycle")["rule"]
    assert rule["noncurrentVersionExpiration"] == [
        {"noncurrentDays": spec["expireOldVersionsDays"]}
    ]
    assert_tls_only(
        provider(made, "policy")["policy"], ["arn:aws:s3:::invoices", "arn:aws:s3:::invoices/*"]
    )
    joined = [one for name, one in made.items() if name != "bucket"]
    assert len(joined) == 6
    for one in joined:
        assert one["spec"]["forProvider"]["bucketSelector"] == {"matchControllerRef": True}


@ANY
@given(spec=specs("SQSQueue"), namespace=NAMESPACES)
def test_any_queue_is_encrypted_and_has_a_place_for_dead_letters(
    composer: Function, spec: Object, namespace: str
) -> None:
    made = whole(composer, asked("SQSQueue", spec, namespace=namespace))
    for name in ("queue", "dead-letters"):
        assert provider(made, name)["kmsMasterKeyId"] == environment()["kmsKeyArn"]
        policy = provider(made, f"{name}-policy")
        assert_tls_only(policy["policy"], f"arn:aws:sqs:x:1:{name}")
        assert policy["queueUrl"] == f"https://sqs.example.com/{name}"
    assert provider(made, "redrive")["queueUrl"] == "https://sqs.example.com/queue"
    redrive = json.loads(provider(made, "redrive")["redrivePolicy"])
    assert redrive == {
        "deadLetterTargetArn": "arn:aws:sqs:x:1:dead-letters",
        "maxReceiveCount": spec["maxReceiveCount"],
    }
    allowed = json.loads(provider(made, "redrive-allow")["redriveAllowPolicy"])
    assert allowed == {
        "redrivePermission": "byQueue",
        "sourceQueueArns": ["arn:aws:sqs:x:1:queue"],
    }


def assert_tls_only(policy: str, of: str | list[str]) -> None:
    (statement,) = json.loads(policy)["Statement"]
    assert statement["Resource"] == of
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


EXAMPLES: list[Object] = list(yaml.safe_load_all((FOLDER / "examples" / "team.yaml").read_text()))


def filled(one: Object) -> Object:
    """The example with the defaults that the API server fills in."""
    defaults: dict[str, Object] = {
        "PostgreSQLInstance": {},
        "S3Bucket": {"expireOldVersionsDays": 90},
        "SQSQueue": {"visibilityTimeoutSeconds": 30, "maxReceiveCount": 5},
    }
    metadata = {"uid": "5f7f2c9c", **one["metadata"]}
    return {**one, "metadata": metadata, "spec": {**defaults[one["kind"]], **one["spec"]}}


def put_right(one: Object) -> bool:
    return one["spec"]["managementPolicies"] == ["*"] or {"Create", "Update"} <= set(
        one["spec"]["managementPolicies"]
    )


def goes_with_the_request(one: Object) -> bool:
    return bool({"*", "Delete"} & set(one["spec"]["managementPolicies"]))


@pytest.mark.parametrize(
    ("kind", "going"),
    [
        ("PostgreSQLInstance", {"instance", "subnets", "firewall", "parameters"}),
        ("S3Bucket", {"bucket"}),
        (
            "SQSQueue",
            {"queue", "dead-letters", "queue-policy", "dead-letters-policy", "redrive"}
            | {"redrive-allow"},
        ),
    ],
)
def test_what_outlives_its_request_stays_as_closed_as_it_was(
    composer: Function, kind: str, going: set[str]
) -> None:
    """AWS keeps what is protected, or not empty, and what that needs to be there itself."""
    (example,) = [filled(one) for one in EXAMPLES if one["kind"] == kind]
    managed = {
        name: one
        for name, one in whole(composer, example).items()
        if "managementPolicies" in one.get("spec", {})
    }
    assert {name for name, one in managed.items() if goes_with_the_request(one)} == going
    assert all(put_right(one) for one in managed.values())


@pytest.mark.parametrize("one", EXAMPLES, ids=lambda one: one["kind"])
def test_nothing_is_made_where_the_platform_is_not_described(
    composer: Function, one: Object
) -> None:
    assert compose(composer, filled(one), surroundings={}) == {}
    without_key = {name: value for name, value in environment().items() if name != "kmsKeyArn"}
    made = compose(composer, filled(one), surroundings=without_key)
    assert not {"instance", "encryption", "queue", "dead-letters"} & made.keys()


def test_what_is_there_stays_as_it_is_while_the_platform_is_not_described(
    composer: Function,
) -> None:
    (database,) = [filled(one) for one in EXAMPLES if one["kind"] == "PostgreSQLInstance"]
    instance = {"status": {"atProvider": MADE["PostgreSQLInstance"]["instance"]}}
    answer = answered(composer, database, observed={"instance": instance}, surroundings={})
    assert "SEVERITY_FATAL" in [one["severity"] for one in answer["results"]]


@pytest.mark.parametrize("one", EXAMPLES, ids=lambda one: one["kind"])
@pytest.mark.parametrize(
    "there",
    [
        [],
        [platform() | {"metadata": {"name": "another"}}],
        [platform() | {"kind": "ConfigMap"}],
    ],
    ids=["nothing", "another name", "another kind"],
)
def test_a_platform_that_is_described_nowhere_is_an_error(
    composer: Function, one: Object, there: list[Object]
) -> None:
    answer = answered(composer, filled(one), there=there)
    assert fatal(answer) == ["Compose exception: there is no EnvironmentConfig `platform`"]
    assert "resources" not in answer.get("desired", {})


def test_the_secret_says_where_the_database_is_and_not_its_password(composer: Function) -> None:
    (database,) = [filled(one) for one in EXAMPLES if one["kind"] == "PostgreSQLInstance"]
    assert not {"connection", "hand-over"} & compose(composer, database).keys()

    made = whole(composer, database)
    secret = made["connection"]
    assert (secret["kind"], secret["metadata"]) == (
        "Secret",
        {"namespace": "production", "name": "orders-database"},
    )
    said = {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}
    made_there = MADE["PostgreSQLInstance"]["instance"]
    assert said == {
        "endpoint": made_there["address"],
        "port": "5432",
        "username": "app",
        "passwordSecret": made_there["masterUserSecret"][0]["secretArn"],
    }


def test_the_application_s_cluster_reads_what_the_platform_s_pushes(composer: Function) -> None:
    (database,) = [filled(one) for one in EXAMPLES if one["kind"] == "PostgreSQLInstance"]
    pushed = whole(composer, database)["hand-over"]["spec"]
    keys = {one["match"]["remoteRef"]["remoteKey"] for one in pushed["data"]}
    read = yaml.safe_load((FOLDER / "examples" / "application-cluster.yaml").read_text())["spec"]
    assert keys == {read["dataFrom"][0]["extract"]["key"]}
    assert pushed["selector"]["secret"]["name"] == "orders-database"


def test_a_composite_says_where_its_parts_are(composer: Function) -> None:
    (database,) = [filled(one) for one in EXAMPLES if one["kind"] == "PostgreSQLInstance"]
    instance = {"status": {"atProvider": MADE["PostgreSQLInstance"]["instance"]}}
    answer = answered(composer, database, observed={"instance": instance})
    status = answer["desired"]["composite"]["resource"]["status"]
    assert status == {
        "endpoint": MADE["PostgreSQLInstance"]["instance"]["address"],
        "secretName": "platform/production/orders",
    }
    assert answer["desired"]["resources"]["connection"]["ready"] == "READY_TRUE"


@pytest.fixture(scope="module")
def cluster(kubernetes_server: KubernetesServer) -> KubernetesServer:
    kubernetes_server.install(*AWS, PUSH_SECRETS)
    return kubernetes_server


@pytest.fixture
def namespace(cluster: KubernetesServer) -> str:
    return cluster.fresh_namespace()


@pytest.mark.parametrize("one", EXAMPLES, ids=lambda one: one["kind"])
def test_the_providers_definitions_take_what_is_composed(
    composer: Function, cluster: KubernetesServer, namespace: str, one: Object
) -> None:
    wanted = filled(one)
    wanted["metadata"]["namespace"] = namespace
    for name, made in whole(composer, wanted).items():
        made["metadata"].setdefault("name", f"orders-{name}")
        cluster.apply(made, dry_run=True)
        if made["kind"] != "Secret":
            made["spec"]["unknown"] = True
            with pytest.raises(ObjectRefused, match="unknown"):
                cluster.apply(made, dry_run=True)


@pytest.mark.parametrize("kind", MADE)
def test_the_api_server_takes_the_compositions_and_their_environment(
    cluster: KubernetesServer, kind: str
) -> None:
    cluster.apply(composition(kind), dry_run=True)
    cluster.apply(
        yaml.safe_load((FOLDER / "examples" / "environment.yaml").read_text()), dry_run=True
    )


def test_crossplane_may_make_what_is_composed_beside_aws(
    composer: Function, cluster: KubernetesServer
) -> None:
    rights = list(yaml.safe_load_all((FOLDER / "rights.yaml").read_text()))
    cluster.apply(*rights, dry_run=True)
    (ours,) = [one for one in rights if "crossplane" in " ".join(one["metadata"]["labels"])]
    granted = {
        (group, resource)
        for rule in ours["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    made = [one for example in EXAMPLES for one in whole(composer, filled(example)).values()]
    others = {
        (one["apiVersion"].rpartition("/")[0], f"{one['kind'].lower()}s")
        for one in made
        if not one["apiVersion"].split("/")[0].endswith(".aws.m.upbound.io")
    }
    assert granted == others


def test_the_kinds_that_can_be_made_are_those_that_are_composed(composer: Function) -> None:
    activation = yaml.safe_load((FOLDER / "packages" / "activation.yaml").read_text())
    plurals = {
        (crd["spec"]["group"], crd["spec"]["names"]["kind"]): crd["metadata"]["name"]
        for crd in (yaml.safe_load(file.read_text()) for file in AWS)
    }
    made = {
        (one["apiVersion"].partition("/")[0], one["kind"])
        for example in EXAMPLES
        for one in whole(composer, filled(example)).values()
    }
    composed = {plurals[one] for one in made if one in plurals}
    assert set(activation["spec"]["activate"]) == composed
