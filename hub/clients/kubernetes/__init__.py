"""The Kubernetes API server: custom resources, over the hub's one HTTP client."""

from hub.clients.kubernetes.client import AlreadyExists, Created, Kubernetes, Page
from hub.clients.kubernetes.discovery import FoundKind
from hub.clients.kubernetes.objects import ObjectPart, Resource, name_of
from hub.clients.kubernetes.watching import Bookmark, Changed, Removed, Told, WatchExpired

__all__ = [
    "AlreadyExists",
    "Bookmark",
    "Changed",
    "Created",
    "FoundKind",
    "Kubernetes",
    "ObjectPart",
    "Page",
    "Removed",
    "Resource",
    "Told",
    "WatchExpired",
    "name_of",
]
