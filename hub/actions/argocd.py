"""Argo CD: read an Application from the cluster.

API: argoproj.io/v1alpha1, https://argo-cd.readthedocs.io/en/stable/operator-manual/application.yaml
"""

from dataclasses import dataclass
from typing import ClassVar

from hub.actions.action import Action


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An Application as the cluster has it now; empty strings where it says nothing."""

    namespace: str
    name: str
    exists: bool
    health: str = ""
    """Healthy, Progressing, Degraded, Suspended, Missing, Unknown."""
    health_since: str = ""
    sync: str = ""
    """Synced, OutOfSync, Unknown."""
    phase: str = ""
    """Of the last operation: Running, Succeeded, Failed, Error, Terminating."""
    revision: str = ""
    """The gitops commit of the last operation."""
    started_at: str = ""
    finished_at: str = ""
    message: str = ""
    service: str = ""
    """Label `trunkline.dev/service`, else the name without `-<environment>`; empty where none is
    deployed."""
    environment: str = ""
    """Label `trunkline.dev/environment`, else the name's last part."""
    requests_of: str = ""
    """Label `trunkline.dev/requests-of`: the service that asks Crossplane for something by this
    Application, which deploys none."""

    @property
    def has_failed(self) -> bool:
        """Whether the last operation came to nothing."""
        return self.phase in {"Failed", "Error"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadApplication(Action[Application]):
    """Read an Application: a notification is unsigned, so it is a hint and not the truth."""

    name: ClassVar[str] = "argocd.read_application"
    result: ClassVar[type] = Application
    reads: ClassVar[bool] = True

    namespace: str
    application: str

    def supposed(self) -> Application:
        """No such Application."""
        return Application(namespace=self.namespace, name=self.application, exists=False)
