"""Reads the secrets that a process needs, and tells all that cannot be read at once."""

from dataclasses import dataclass

from hub.errors import SettingsError
from hub.secrets import Learn, SecretPlace
from hub.settings import Secret, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSecrets:
    """The passwords for the log and the journal; None where the settings name none."""

    kafka: SecretPlace | None
    postgres: SecretPlace | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """The credentials for outside systems; None where the settings name none."""

    kubernetes: SecretPlace | None
    gitops: SecretPlace | None
    github: SecretPlace | None
    slack: SecretPlace | None
    pagerduty: SecretPlace | None


def open_engine_secrets(settings: Settings, *, learn: Learn) -> EngineSecrets:
    """Read what opens the log and the journal. See `open_secrets`."""
    places = _Places(learn)
    secrets = EngineSecrets(
        kafka=places.read(settings.kafka.password, "kafka.password"),
        postgres=places.read(settings.postgres.password, "postgres.password"),
    )
    places.refuse_mistakes()
    return secrets


def open_secrets(settings: Settings, *, learn: Learn) -> Secrets:
    """Read every secret for the outside, and tell `learn` of each value, now and when it changes.

    Raises SettingsError with all that cannot be read.
    """
    kubernetes, gitops, github = settings.kubernetes, settings.gitops, settings.github
    slack, pagerduty = settings.slack, settings.pagerduty
    places = _Places(learn)
    secrets = Secrets(
        kubernetes=places.read(kubernetes.token if kubernetes else None, "kubernetes.token"),
        gitops=places.read(gitops.token if gitops else None, "gitops.token"),
        github=places.read(github.token if github else None, "github.token"),
        slack=places.read(slack.token if slack else None, "slack.token"),
        pagerduty=places.read(
            pagerduty.routing_key if pagerduty else None, "pagerduty.routing_key"
        ),
    )
    places.refuse_mistakes()
    return secrets


class _Places:
    """Reads secrets, and gathers what is wrong with them."""

    def __init__(self, learn: Learn) -> None:
        self._learn = learn
        self._problems: list[str] = []

    def read(self, secret: Secret | None, name: str) -> SecretPlace | None:
        """Return the secret, or None where there is none or it cannot be read."""
        if secret is None:
            return None
        try:
            return SecretPlace(secret, name=name, learn=self._learn)
        except SettingsError as error:
            self._problems.extend(error.problems)
            return None

    def refuse_mistakes(self) -> None:
        """Raise SettingsError with all that could not be read."""
        if self._problems:
            raise SettingsError(self._problems)
