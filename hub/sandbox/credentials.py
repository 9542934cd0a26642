"""The secrets of one world: drawn anew each time, kept in files that only their owner can read."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path

_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One secret, and the file that holds it."""

    text: str = field(repr=False)
    file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What the hub and the world know of each other."""

    github_webhook: Credential
    github_token: Credential
    argocd_token: Credential
    tekton_key: Credential
    kubernetes_token: Credential
    slack_token: Credential
    pagerduty_key: Credential


def draw(folder: Path) -> Credentials:
    """Draw all secrets and write each into a file of its own under `folder`."""
    folder.mkdir(mode=0o700, parents=True)

    def new(name: str, text: str) -> Credential:
        file = folder / name
        file.touch(mode=0o600)
        file.write_text(text)
        return Credential(text=text, file=file)

    return Credentials(
        github_webhook=new("github-webhook", secrets.token_urlsafe(_BYTES)),
        github_token=new("github-token", f"ghs_{secrets.token_hex(_BYTES // 2 + 2)}"),
        argocd_token=new("argocd-token", secrets.token_urlsafe(_BYTES)),
        tekton_key=new("tekton-key", secrets.token_urlsafe(_BYTES)),
        kubernetes_token=new("kubernetes-token", secrets.token_urlsafe(_BYTES)),
        slack_token=new("slack-token", f"xoxb-{secrets.token_hex(_BYTES)}"),
        pagerduty_key=new("pagerduty-key", secrets.token_hex(_BYTES // 2)),
    )
