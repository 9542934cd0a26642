"""Argo CD as the sandbox has it: Applications that follow the gitops repository.

`ArgoCD` is the application controller (and the ApplicationSet that makes the Applications),
`Notifications` the notifications controller. Nothing is ever deployed.
Documentation: https://argo-cd.readthedocs.io/en/stable/.
"""

from hub.sandbox.argocd.controller import ArgoCD
from hub.sandbox.argocd.notifications import Notifications

__all__ = ["ArgoCD", "Notifications"]
