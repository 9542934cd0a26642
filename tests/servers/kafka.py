"""A Kafka of its own for tests: one broker or several, in KRaft mode, on loopback.

Every broker is a controller as well, has a data folder of its own, and keeps both that and its
ports when it is stopped or killed and started again.
"""

import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from .certificates import Credentials, make_credentials
from .life import run
from .place import KAFKA, java
from .process import HeldPort, ServerProcess

CLASSES = KAFKA.folder / "classes.jsa"
"""Kafka's classes as Java wants them in memory; without it a start takes twice as long."""

_JAVA = (
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+IgnoreUnrecognizedVMOptions",
    "-Xshare:auto",
    "-Djava.net.preferIPv4Stack=true",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
)

_READY = "Kafka Server started"
"""It writes so when the controllers have let it in, which is later than it listens."""

_SETTINGS = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAIN",
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "500",
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "3000",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "1",
    "log.cleaner.dedupe.buffer.size": "4194304",
}
"""Quick to start and quick to notice a loss. When it writes to the disk is left as it comes."""


_PROTOCOLS = {
    "PLAIN": "PLAINTEXT",
    "PROXIED": "PLAINTEXT",
    "CONTROLLER": "PLAINTEXT",
    "SCRAM": "SASL_SSL",
    "MTLS": "SSL",
}


class Broker:
    """One broker. `start` and `stop` wait, and not on an event loop; see `ServerProcess`."""

    def __init__(
        self, folder: Path, *, node: int, listeners: Sequence[str], java_options: Sequence[str]
    ) -> None:
        self.node = node
        self.data = folder / f"broker-{node}"
        self.config = folder / f"broker-{node}.properties"
        self._ports = {name: HeldPort() for name in (*listeners, "PROXY")}
        self._process = ServerProcess(
            command=_java(*java_options, "kafka.Kafka", self.config),
            log=folder / f"broker-{node}.log",
            ready=_READY,
        )

    @property
    def address(self) -> str:
        """Where a client connects without TLS and without a password."""
        return self.address_of("PLAIN")

    @property
    def port(self) -> int:
        """The port of `address`."""
        return self._ports["PLAIN"].number

    @property
    def proxy_port(self) -> int:
        """Where a proxy of the test has to listen for the clients of `proxied_address`."""
        return self._ports["PROXY"].number

    @property
    def proxied_port(self) -> int:
        """Where that proxy has to lead to."""
        return self._ports["PROXIED"].number

    def address_of(self, listener: str) -> str:
        return self._ports[listener].address

    def launch(self) -> None:
        """Start it, and do not wait."""
        self._process.launch()

    def wait_until_ready(self) -> None:
        """Wait until the cluster has let it in; raises `ServerFailedError`."""
        self._process.wait_until_ready()

    def start(self) -> None:
        """Start it, and wait until it is ready; raises `ServerFailedError`."""
        self._process.start()

    def ask_to_stop(self) -> None:
        self._process.ask_to_stop()

    def stop(self) -> None:
        """Stop it in order: it hands over what it leads; kill it where that takes too long."""
        self._process.stop()

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._process.kill()

    def pause(self) -> None:
        """Freeze it: it keeps its connections and answers nothing."""
        self._process.pause()

    def resume(self) -> None:
        self._process.resume()

    def close(self) -> None:
        self.kill()
        for port in self._ports.values():
            port.release()


class KafkaCluster:
    """Brokers that know each other. What is known of all of them is asked of the cluster."""

    def __init__(
        self,
        folder: Path,
        *,
        brokers: int,
        settings: Mapping[str, str],
        secured: bool,
        java_options: Sequence[str],
    ) -> None:
        self.credentials = make_credentials(folder) if secured else None
        """What a client needs at `scram_address` and `mtls_address`; none unless secured."""
        listeners = ["PLAIN", "PROXIED", "CONTROLLER", *(["SCRAM", "MTLS"] if secured else [])]
        self.brokers = [
            Broker(folder, node=node, listeners=listeners, java_options=java_options)
            for node in range(brokers)
        ]
        for broker in self.brokers:
            lines = self._settings_of(broker, listeners) | dict(settings)
            broker.config.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
        self._format()

    @property
    def address(self) -> str:
        """Where a client connects without TLS and without a password: `HOST:PORT,HOST:PORT`."""
        return self._addresses("PLAIN")

    @property
    def proxied_address(self) -> str:
        """Where a client connects that must only know the proxies before the brokers."""
        return self._addresses("PROXY")

    @property
    def scram_address(self) -> str:
        """Where a client needs TLS, a user name and a password (SCRAM-SHA-512)."""
        return self._addresses("SCRAM")

    @property
    def mtls_address(self) -> str:
        """Where a client needs TLS and a certificate of its own."""
        return self._addresses("MTLS")

    def start(self) -> None:
        """Start all brokers that do not run, together, and wait until they are ready."""
        for broker in self.brokers:
            broker.launch()
        for broker in self.brokers:
            broker.wait_until_ready()

    def stop(self) -> None:
        """Stop all brokers together; those that wait for the others in vain are killed."""
        for broker in self.brokers:
            broker.ask_to_stop()
        for broker in self.brokers:
            broker.stop()

    def kill(self) -> None:
        """End all brokers with SIGKILL."""
        for broker in self.brokers:
            broker.kill()

    def close(self) -> None:
        for broker in self.brokers:
            broker.close()

    def _addresses(self, listener: str) -> str:
        return ",".join(broker.address_of(listener) for broker in self.brokers)

    def _settings_of(self, broker: Broker, listeners: Sequence[str]) -> dict[str, str]:
        addresses = {name: f"{name}://{broker.address_of(name)}" for name in listeners}
        proxied = {"PROXIED": f"PROXIED://{broker.address_of('PROXY')}"}
        voters = (f"{one.node}@{one.address_of('CONTROLLER')}" for one in self.brokers)
        copies = min(3, len(self.brokers))
        return {
            **_SETTINGS,
            "node.id": str(broker.node),
            "log.dirs": str(broker.data),
            "controller.quorum.voters": ",".join(voters),
            "listeners": ",".join(addresses.values()),
            "advertised.listeners": ",".join((addresses | proxied).values()),
            "listener.security.protocol.map": ",".join(
                f"{name}:{_PROTOCOLS[name]}" for name in listeners
            ),
            "min.insync.replicas": str(max(1, copies - 1)),
            "offsets.topic.replication.factor": str(copies),
            "transaction.state.log.replication.factor": str(copies),
            "transaction.state.log.min.isr": str(max(1, copies - 1)),
            **(_security_settings(self.credentials) if self.credentials else {}),
        }

    def _format(self) -> None:
        """Prepare the data folders, all for the same cluster."""
        cluster = urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")
        options = [f"--cluster-id={cluster}"]
        if self.credentials:
            user = f"name={self.credentials.username},password={self.credentials.password}"
            options += ["--add-scram", f"SCRAM-SHA-512=[{user}]"]
        commands = [
            _java("kafka.tools.StorageTool", "format", f"--config={broker.config}", *options)
            for broker in self.brokers
        ]
        with ThreadPoolExecutor() as pool:
            list(pool.map(run, commands))


@contextmanager
def kafka_cluster(
    *,
    brokers: int = 1,
    settings: Mapping[str, str] | None = None,
    secured: bool = False,
    java_options: Sequence[str] = (),
) -> Iterator[KafkaCluster]:
    """Run a cluster with settings of `server.properties`, and throw it away with all its data.

    Where it is `secured`, it listens at `scram_address` and `mtls_address` too.
    """
    with TemporaryDirectory(prefix="trunkline-kafka-") as folder:
        cluster = KafkaCluster(
            Path(folder),
            brokers=brokers,
            settings=settings or {},
            secured=secured,
            java_options=java_options,
        )
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.close()


def _java(*arguments: str | Path) -> list[str]:
    return [
        java() or "java",
        *_JAVA,
        *([f"-XX:SharedArchiveFile={CLASSES}"] if CLASSES.exists() else []),
        *("-cp", f"{KAFKA.folder}/*"),
        *map(str, arguments),
    ]


def _security_settings(credentials: Credentials) -> dict[str, str]:
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    return {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(credentials.server_file),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(credentials.ca_file),
        "listener.name.mtls.ssl.client.auth": "required",
        "listener.name.scram.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.scram.scram-sha-512.sasl.jaas.config": scram,
    }
