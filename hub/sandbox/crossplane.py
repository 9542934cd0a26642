"""Crossplane, as far as it is seen from outside: what it says of an object in its conditions.

Conditions and reasons: https://docs.crossplane.io/latest/guides/troubleshoot-crossplane/. It does
nothing by itself: what becomes of an object is told by whoever has it.
"""

from secrets import token_hex
from typing import Final

from hub.sandbox.clock import Clock, rfc3339
from hub.sandbox.kubernetes import EVENTS, Cluster, Kind, Object

_REASONS: Final = {
    ("Ready", True): "Available",
    ("Ready", False): "Creating",
    ("Synced", True): "ReconcileSuccess",
    ("Synced", False): "ReconcileError",
    ("UpToDate", True): "ObserveMatched",
    ("UpToDate", False): "UpdateRestricted",
}


class Crossplane:
    """Composites and managed resources of one namespace."""

    def __init__(self, *, cluster: Cluster, clock: Clock, namespace: str) -> None:
        self.namespace = namespace
        self._cluster = cluster
        self._clock = clock

    def ask_for(self, kind: Kind, name: str, **labels: str) -> Object:
        """Create an object; a label's name begins with `trunkline.dev/`."""
        metadata = {
            "name": name,
            "labels": {f"trunkline.dev/{label}": value for label, value in labels.items()},
        }
        body = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata}
        return self._cluster.create(kind, self.namespace, body)

    def say(self, kind: Kind, name: str, *, message: str = "", **conditions: bool) -> None:
        """Let conditions be so from now, such as `Ready=True`; the message goes with what fails."""
        found = self._cluster.get(kind, self.namespace, name)
        before = {one["type"]: one for one in found.get("status", {}).get("conditions", [])}
        for type_, holds in conditions.items():
            before[type_] = {
                "type": type_,
                "status": str(holds),
                "reason": _REASONS[type_, holds],
                "lastTransitionTime": rfc3339(self._clock.tick(f"{kind.plural}/{name}")),
                **({} if holds or not message else {"message": message}),
            }
        patch = {"status": {"conditions": list(before.values())}}
        self._cluster.patch(kind, self.namespace, name, patch, status=True)

    def warn(self, kind: Kind, name: str, *, reason: str, note: str) -> None:
        """Tell of trouble with an object in a Kubernetes Event."""
        about = self._cluster.get(kind, self.namespace, name)["metadata"]
        told = {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"name": f"{name}.{token_hex(8)}"},
            "regarding": {
                "apiVersion": kind.api_version,
                "kind": kind.kind,
                **{field: about[field] for field in ("namespace", "name", "uid")},
            },
            "type": "Warning",
            "reason": reason,
            "note": note,
            "deprecatedLastTimestamp": rfc3339(self._clock.tick(f"{kind.plural}/{name}")),
        }
        self._cluster.create(EVENTS, self.namespace, told)

    def forget(self, kind: Kind, name: str) -> None:
        """Delete an object."""
        self._cluster.delete(kind, self.namespace, name)
