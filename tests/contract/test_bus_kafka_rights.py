"""The log as the user that the deployment declares, on brokers that allow nobody anything else."""

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from bus_home import event, everything, kinds, names
from kafka_home import PATIENCE, KafkaHome, keyed, new_settings, raw_records, send_raw
from servers.certificates import Credentials
from servers.kafka import KafkaCluster, kafka_cluster
from servers.place import KAFKA, java

from hub.bus.kafka.topics import dead_topic
from hub.errors import SettingsError, StorageError
from hub.settings import KafkaSettings

DEPLOYMENT = Path(__file__).parents[2] / "k8s" / "overlays" / "production"
GRANT_RIGHTS = Path(__file__).parents[1] / "servers/GrantRights.java"
TOPIC = "trunkline.events"
ROOM = 40_000_000

_SETTINGS = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
}
"""Who comes in without a password is the cluster's own administrator here."""


@pytest.fixture(scope="module")
def cluster(servers: None) -> Iterator[KafkaCluster]:
    with kafka_cluster(secured=True, settings=_SETTINGS) as started:
        yield started


@pytest.fixture(scope="module")
def credentials(cluster: KafkaCluster) -> Credentials:
    assert cluster.credentials is not None
    return cluster.credentials


def settings_of(credentials: Credentials, topic: str, **others: object) -> KafkaSettings:
    return new_settings(
        topic=topic,
        create_topics=False,
        tls=True,
        ca_file=credentials.ca_file,
        username=credentials.username,
        password={"file": credentials.password_file},
        **others,
    )


async def create_topics(cluster: KafkaCluster, *topics: str) -> None:
    """Create topics of a size that only who may look at their settings knows."""
    names = [name for topic in topics for name in (topic, dead_topic(topic))]
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.address)
    await admin.start()
    configs = {"max.message.bytes": str(ROOM)}
    await admin.create_topics([NewTopic(name, 2, 1, topic_configs=configs) for name in names])
    await admin.close()


def grant(cluster: KafkaCluster, user: dict[str, Any]) -> None:
    lines = [
        f"{acl['resource']['type']} {_pattern(acl)} {_spelt(operation)} {acl['resource']['name']}"
        for acl in user["spec"]["authorization"]["acls"]
        for operation in acl["operations"]
    ]
    done = subprocess.run(
        [
            *(java() or "java", "-cp", f"{KAFKA.folder}/*", GRANT_RIGHTS),
            *(cluster.address, user["metadata"]["name"]),
        ],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _pattern(acl: dict[str, Any]) -> str:
    return {"literal": "LITERAL", "prefix": "PREFIXED"}[acl["resource"]["patternType"]]


def _spelt(operation: str) -> str:
    return {"DescribeConfigs": "describe_configs"}.get(operation, operation)


async def test_the_declared_user_may_do_what_the_hub_does_and_no_more(
    cluster: KafkaCluster,
    credentials: Credentials,
    kustomize_build: Callable[[Path], list[dict[str, Any]]],
) -> None:
    (user,) = [one for one in kustomize_build(DEPLOYMENT) if one["kind"] == "KafkaUser"]
    assert user["metadata"]["name"] == credentials.username
    await create_topics(cluster, TOPIC, "somebody.elses")
    home = KafkaHome(cluster.scram_address, settings_of(credentials, TOPIC))
    with pytest.raises(SettingsError, match="is missing"):
        await home.new_bus().start()

    await asyncio.to_thread(grant, cluster, user)
    await home.open()
    known = await home._bus._prepared.limits()
    assert set(known.largest.values()) == {ROOM}
    assert kinds(await home.bus.append([keyed("event", "a")])) == ["Stored"]
    assert names(await everything(home)) == ["event"]
    administrator = KafkaHome(cluster.address, new_settings(topic=TOPIC))
    await send_raw(administrator, b"no event", headers=[])
    await home.bus.append([event("after")])
    async with home.bus.subscribe("dispatch") as subscription:
        seen: list[str] = []
        async with asyncio.timeout(PATIENCE):
            while len(seen) < 2:
                seen += names(await subscription.poll(10))
    assert sorted(seen) == ["after", "event"]
    assert [value for value, _ in await raw_records(administrator, f"{TOPIC}.dead")] == [
        b"no event"
    ]
    await home.close()

    other = KafkaHome(cluster.scram_address, settings_of(credentials, "somebody.elses"))
    with pytest.raises((SettingsError, StorageError)):
        await other.new_bus().start()
