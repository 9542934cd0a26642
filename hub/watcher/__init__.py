"""Watches what says nothing by itself, and appends what it sees to the log as events.

Kubernetes' own objects are the truth that notifications only hint at: what a hub that was down has
missed is seen when it lists them again. The ids of these events are derived from what happened, as
those of the notifications are, so nothing is told twice.
"""

from hub.watcher.kinds import Kinds
from hub.watcher.lease import Election, Lease
from hub.watcher.memory import Memory
from hub.watcher.reflector import Surroundings
from hub.watcher.telling import Telling
from hub.watcher.watched import WatchedKind
from hub.watcher.watcher import Watcher

__all__ = [
    "Election",
    "Kinds",
    "Lease",
    "Memory",
    "Surroundings",
    "Telling",
    "WatchedKind",
    "Watcher",
]
