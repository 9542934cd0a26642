"""The Kubernetes API server: custom resources, over the hub's one HTTP client."""

from hub.clients.kubernetes.client import AlreadyExists, Created, Kubernetes, Page
from hub.clients.kubernetes.objects import ObjectPart, Resource

__all__ = ["AlreadyExists", "Created", "Kubernetes", "ObjectPart", "Page", "Resource"]
