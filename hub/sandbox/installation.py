"""What a hub has to be told to live in a world: addresses, and a whole settings file. Pure."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.sandbox.credentials import Credential, Credentials
from hub.sandbox.samples import OWNER

TEKTON_NAMESPACE = "tekton-pipelines"
FORKS_NAMESPACE = "ci-forks"
HUB_NAMESPACE = "trunkline"
PIPELINE = "microservice-ci"
_KEY_ID = "sandbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where everything in a world is."""

    github_api: str
    git: str
    gitops: str
    kubernetes: str
    slack_api: str
    pagerduty_events: str


def settings(
    addresses: Addresses, credentials: Credentials, *, state: Path, port: int, admin_port: int
) -> dict[str, Any]:
    """Return the settings of a hub that keeps its log and journal under `state`."""
    database = f"sqlite:///{state / 'trunkline.db'}"
    return {
        "bus": database,
        "journal": database,
        "state": str(state),
        "receiver": {
            "port": port,
            "github": _door(credentials.github_webhook),
            "argocd": _door(credentials.argocd_token),
            "tekton": _door(credentials.tekton_key),
        },
        "admin": {"port": admin_port},
        "platform": {
            "repositories": [f"{OWNER}/*"],
            "pipeline": PIPELINE,
            "clone_url": f"{addresses.git}/{{repository}}.git",
        },
        "kubernetes": {
            "url": addresses.kubernetes,
            "token": _secret(credentials.kubernetes_token),
            "namespace": TEKTON_NAMESPACE,
            "forks": {
                "namespace": FORKS_NAMESPACE,
                "service_account": "pipeline-untrusted",
            },
        },
        "gitops": {"url": addresses.gitops, "token": _secret(credentials.github_token)},
        "github": {
            "api_url": addresses.github_api,
            "token": _secret(credentials.github_token),
        },
        "slack": {"api_url": addresses.slack_api, "token": _secret(credentials.slack_token)},
        "pagerduty": {
            "events_url": addresses.pagerduty_events,
            "routing_key": _secret(credentials.pagerduty_key),
        },
    }


def _door(credential: Credential) -> dict[str, Any]:
    return {"keys": [{"id": _KEY_ID, "secret": _secret(credential)}]}


def _secret(credential: Credential) -> dict[str, str]:
    return {"file": str(credential.file)}
