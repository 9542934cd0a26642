"""Every setting: what it is for, its unit, its default and why. Read once, handed out in branches.

This module is the shape; `hub/configuration` fills it from a YAML file and the environment.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("expected an http:// or https:// address")
    if parts.username or parts.password:
        raise ValueError("a credential in an address is refused: use the secret beside it")
    return value.rstrip("/")


_TOPIC = r"^[A-Za-z0-9._-]{1,200}$"
"""What Kafka takes as a name, with room for the name of the dead topic beside it."""

HttpUrl = Annotated[str, AfterValidator(_http_url)]


class Branch(BaseModel):
    """A part of the tree. Unknown keys are mistakes."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Secret(Branch):
    """Where a secret is kept. Never the secret: one written inline is refused."""

    file: Path | None = None
    variable: str | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.file is None) == (self.variable is None):
            raise ValueError("name exactly one of `file` and `variable`")
        return self


class Key(Branch):
    """One key of a ring. Rings rotate: add the new key, move the senders, remove the old one."""

    id: str = Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")
    secret: Secret
    not_before: datetime | None = None
    not_after: datetime | None = None


class Door(Branch):
    """One way in, and the keys that open it. A door without keys is shut (404)."""

    keys: tuple[Key, ...] = ()


class EventsDoor(Branch):
    """`/events`: bearer tokens and Standard Webhooks keys each have a ring of their own."""

    bearer: tuple[Key, ...] = ()
    signing: tuple[Key, ...] = ()
    sources: tuple[str, ...] = ()
    """Prefixes of the `source` attributes that are taken; empty takes all but the hub's own."""


class ReceiverSettings(Branch):
    """HTTP in."""

    host: str = "127.0.0.1"
    """Loopback unless told otherwise: TLS ends at the ingress in front."""
    port: int = Field(default=8080, ge=0, le=65535)
    github: Door = Door()
    argocd: Door = Door()
    tekton: Door = Door()
    """Its keys are path segments (`/webhooks/tekton/<key>`), for Tekton can neither sign nor
    send headers."""
    events: EventsDoor = EventsDoor()


class AdminSettings(Branch):
    """Health and metrics, on a port that outsiders do not reach."""

    host: str = "127.0.0.1"
    port: int = Field(default=9090, ge=0, le=65535)


class KafkaSettings(Branch):
    """The log, where `bus` is `kafka://HOST:PORT,...`."""

    topic: str = Field(default="trunkline.events", pattern=_TOPIC)
    topics: dict[str, Annotated[str, Field(pattern=_TOPIC)]] = {}
    """Prefixes of event types, such as `com.github.`, that have a topic of their own."""
    create_topics: bool = True
    """Whether topics that are missing are created; else their lack is reported at the start."""
    partitions: int = Field(default=12, ge=1, le=10_000)
    """Of a topic that is created: the most workers that can read it at the same time."""
    replication: int = Field(default=3, ge=1, le=32_767)
    """Copies of each partition of a topic that is created. An append waits for all but one."""
    compress_bodies: bool = False
    """Whether bodies are packed with zstd, which other consumers must then unpack
    (`content-encoding: zstd`)."""
    tls: bool | None = None
    """Left out, it is on unless every broker is on this machine."""
    ca_file: Path | None = None
    certificate_file: Path | None = None
    """The client's own certificate, and its key, where the brokers ask for one."""
    key_file: Path | None = None
    username: str | None = None
    """For SASL; without it nobody logs in."""
    password: Secret | None = None
    mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = "SCRAM-SHA-512"
    spool: Path | None = None
    """A SQLite file on a disk that outlives the process. It takes events while no broker can be
    reached; without it they are refused with 503."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.certificate_file is None) != (self.key_file is None):
            raise ValueError("certificate_file and key_file belong together")
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password belong together")
        return self


class PostgresSettings(Branch):
    """The journal, where `journal` is `postgresql://USER@HOST:PORT/DATABASE`."""

    password: Secret | None = None
    tls: bool | None = None
    """Left out, it is on unless the server is on this machine. On, the server's name is checked."""
    ca_file: Path | None = None
    """What signs the server's certificate, where the system does not know it."""
    connections: int = Field(default=8, ge=2, le=100)
    """The most that one process holds at a time."""
    lease_seconds: float = Field(default=30, ge=3, le=3600)
    """A worker that has not been heard of for so long has lost its runs to the others."""


class RetentionSettings(Branch):
    """How long the past is kept, in days."""

    events_days: float = Field(default=30, gt=0)
    """Events on a log in SQLite that every handler is done with. Kafka's topics have their own."""
    runs_days: float = Field(default=30, gt=0)
    """Runs that are done or skipped, with their steps and their copy of the event. Dead letters
    stay until they are replayed."""
    keys_days: float = Field(default=365, gt=0)
    """That an event was handled, so that it is not handled again if it comes again."""

    @model_validator(mode="after")
    def _each_outlives_the_one_before(self) -> Self:
        if not self.events_days <= self.runs_days <= self.keys_days:
            raise ValueError(
                "events_days, runs_days, keys_days: each may not be less than the last"
            )
        return self


class DispatchSettings(Branch):
    """How runs are executed."""

    concurrency: int = Field(default=100, ge=1, le=10_000)
    """Lanes that run at the same time."""
    handler_timeout_seconds: float = Field(default=300, gt=0)
    retry_attempts: int = Field(default=40, ge=1)
    retry_base_seconds: float = Field(default=1, gt=0)
    retry_cap_seconds: float = Field(default=3600, gt=0)
    handlers_module: str | None = None
    """A module of yours with a tuple `HANDLERS`, beside the built-in ones."""


class PlatformSettings(Branch):
    """What this platform's owners have agreed on; handlers see it as `do.platform`."""

    repositories: tuple[str, ...] = ()
    """Patterns of `owner/name` that are built, for example `company/*`. Empty builds nothing."""
    clone_url: str = Field(
        default="https://github.com/{repository}.git",
        pattern=r"^(https?|file)://[^@\s]*\{repository\}[^\s{}]*$",
    )
    """Where the pipeline clones from; `{repository}` is `owner/name`."""
    pipeline: str = "microservice-ci"
    branches: dict[str, tuple[str, ...]] = {"main": ("dev", "staging"), "develop": ("dev",)}
    """The branches that are built, and the environments that their images are bumped in."""
    production: str = "production"
    channel: str = "#deployments"
    channels: dict[str, str] = {}
    """The channels of the teams that own databases, buckets and queues, by the label
    `trunkline.dev/owner`; the others are told of in `channel`."""
    run_url: HttpUrl | None = None
    """Tekton Dashboard or the like; `/{namespace}/{name}` is added."""
    application_url: HttpUrl | None = None
    """Argo CD's; `/{namespace}/{name}` is added."""


class ForkSettings(Branch):
    """Where the pull requests of strangers are built, once somebody has approved the commit."""

    namespace: str
    """Another one than that of the platform's own runs, without any secret in it."""
    service_account: str
    """One that may do nothing."""
    pipeline: str = "microservice-ci"


class KubernetesSettings(Branch):
    """The API server, and where the hub may act in it."""

    url: HttpUrl
    token: Secret | None = None
    """Read again for every call, as projected tokens change."""
    ca_file: Path | None = None
    namespace: str = "tekton-pipelines"
    """Where PipelineRuns are created."""
    service_account: str = "pipeline"
    workspace_size: str = "2Gi"
    runs_per_service: int = Field(default=0, ge=0)
    """The most runs of one service at a time; the others wait in the cluster. 0 is no limit."""
    forks: ForkSettings | None = None
    """Left out, pull requests from forks are never built."""

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.forks and self.forks.namespace == self.namespace:
            raise ValueError("forks.namespace: strangers' runs need a namespace of their own")
        return self


_GROUP = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]
_NAMESPACE = Annotated[str, Field(pattern=r"^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?|\*)$")]


class WatcherSettings(Branch):
    """What is watched in the cluster that `kubernetes` names, and told of as events.

    Of several processes one watches, and a Lease says which.
    """

    cluster: str = Field(default="platform", pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
    """What the events call the cluster."""
    groups: tuple[_GROUP, ...] = ()
    """API groups of which every kind is a composite or a claim of Crossplane's, such as
    `platform.company.com`."""
    managed: tuple[_GROUP, ...] = ()
    """API groups of managed resources whose drift is told of, such as `rds.aws.m.upbound.io`."""
    applications: tuple[_NAMESPACE, ...] = ()
    """Namespaces whose Argo CD Applications are watched; `*` is all of them."""
    pipeline_runs: tuple[_NAMESPACE, ...] = ()
    """Namespaces whose PipelineRuns are watched; `*` is all of them."""
    stuck_seconds: float = Field(default=900, gt=0)
    """How long a composite may take to become ready before it is told of as stuck."""
    lease_namespace: str = "trunkline"
    lease_name: str = "trunkline-watcher"


class GitopsSettings(Branch):
    """The gitops repository."""

    url: str
    """`https://...` or `file:///...`; never with a credential in it."""
    branch: str = "main"
    username: str = "x-access-token"
    token: Secret | None = None
    files: tuple[str, ...] = (
        "services/{service}/overlays/{environment}/kustomization.yaml",
        "services/{service}/values-{environment}.yaml",
    )
    """Where a service's image stands; those that exist are changed together."""
    author_name: str = "trunkline"
    author_email: str = "trunkline@localhost"


class GitHubSettings(Branch):
    """GitHub's REST API."""

    api_url: HttpUrl = "https://api.github.com"
    token: Secret | None = None
    status_context: str = "trunkline/ci"
    """What a run's state is called on a commit, as a commit status or as a check run."""
    checks: bool = False
    """Whether a run's state is a check run, which can be asked for again from GitHub's pages, and
    not a commit status. Only the installation token of a GitHub App may write check runs."""


class SlackSettings(Branch):
    """Slack's Web API."""

    api_url: HttpUrl = "https://slack.com/api"
    token: Secret
    seconds_per_message: float = Field(default=1.0, ge=0)
    """Between two messages in one channel: Slack's own limit."""
    link_hosts: tuple[str, ...] = ()
    """Hosts that may become links; those of the addresses in these settings are always allowed."""


class PagerDutySettings(Branch):
    """PagerDuty's Events API v2."""

    events_url: HttpUrl = "https://events.pagerduty.com"
    routing_key: Secret


class Settings(Branch):
    """The whole tree."""

    instance: str = Field(default="trunkline", pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")
    """Names this installation in the `source` of its own events."""
    bus: str = "sqlite:///trunkline-state/trunkline.db"
    """`sqlite:///FILE` or `kafka://HOST:PORT,HOST:PORT`."""
    journal: str = "sqlite:///trunkline-state/trunkline.db"
    """`sqlite:///FILE` or `postgresql://USER@HOST:PORT/DATABASE`."""
    state: Path = Path("trunkline-state")
    """A folder for what can be made anew, such as the clone of the gitops repository."""
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    receiver: ReceiverSettings = ReceiverSettings()
    kafka: KafkaSettings = KafkaSettings()
    postgres: PostgresSettings = PostgresSettings()
    retention: RetentionSettings = RetentionSettings()
    admin: AdminSettings = AdminSettings()
    dispatch: DispatchSettings = DispatchSettings()
    platform: PlatformSettings = PlatformSettings()
    kubernetes: KubernetesSettings | None = None
    watcher: WatcherSettings | None = None
    gitops: GitopsSettings | None = None
    github: GitHubSettings | None = None
    slack: SlackSettings | None = None
    pagerduty: PagerDutySettings | None = None

    @model_validator(mode="after")
    def _watched_cluster_is_named(self) -> Self:
        if self.watcher is not None and self.kubernetes is None:
            raise ValueError("watcher needs kubernetes: name the API server that is watched")
        return self
