"""What handlers read of Crossplane's objects as the watcher saw them.

The data are the object's own metadata and conditions, and how the API addresses its kind.
"""

from typing import Annotated, ClassVar

from pydantic import AliasPath, BaseModel, BeforeValidator, ConfigDict, Field

from hub.events.kubernetes import Conditions, Text, condition, none_for_null
from hub.events.types import (
    COMPOSITE_DELETED,
    COMPOSITE_NOT_READY,
    COMPOSITE_READY,
    COMPOSITE_STUCK,
    COMPOSITE_SYNC_FAILED,
    COMPOSITE_SYNCED,
    MANAGED_CORRECTED,
    MANAGED_DRIFTED,
)
from hub.events.view import View

PAUSED = "ReconcilePaused"
"""Reason of `Synced`: somebody has stopped Crossplane on purpose, which is no failure."""
OWNER = "trunkline.dev/owner"
"""Label: the team whose channel is told."""
ENVIRONMENT = "trunkline.dev/environment"
"""Label: where it is used; else its namespace says so."""


_ROOT = "crossplane.io/composite"
"""Label that Crossplane itself sets on all that is in it: the composite that somebody asked for."""


class _Owner(BaseModel):
    """https://kubernetes.io/docs/concepts/overview/working-with-objects/owners-dependents/."""

    model_config = ConfigDict(frozen=True)

    group_version: Text = Field("", validation_alias="apiVersion")
    kind: Text = ""
    name: Text = ""
    controller: bool | None = None


Owners = Annotated[tuple[_Owner, ...], BeforeValidator(none_for_null)]


class CrossplaneObject(View):
    """What names an object of Crossplane's, and its conditions."""

    group: str = Field(validation_alias=AliasPath("resource", "group"))
    version: str = Field(validation_alias=AliasPath("resource", "version"))
    plural: str = Field(validation_alias=AliasPath("resource", "plural"))
    kind: str = Field(validation_alias=AliasPath("resource", "kind"))
    namespace: Text = Field("", validation_alias=AliasPath("metadata", "namespace"))
    """Empty for an object of the whole cluster."""
    name: str = Field(validation_alias=AliasPath("metadata", "name"))
    uid: Text = Field("", validation_alias=AliasPath("metadata", "uid"))
    owner: Text = Field("", validation_alias=AliasPath("metadata", "labels", OWNER))
    labelled: Text = Field("", validation_alias=AliasPath("metadata", "labels", ENVIRONMENT))
    root: Text = Field("", validation_alias=AliasPath("metadata", "labels", _ROOT))
    owners: Owners = Field((), validation_alias=AliasPath("metadata", "ownerReferences"))
    claim: Text = Field("", validation_alias=AliasPath("spec", "claimRef", "name"))
    """The claim that a composite was made for."""
    conditions: Conditions = Field((), validation_alias=AliasPath("status", "conditions"))

    @property
    def place(self) -> str:
        """`namespace/name`, or the name alone."""
        return "/".join(filter(None, (self.namespace, self.name)))

    @property
    def whole(self) -> str:
        """The composite of the same group that this one is a part of; empty where it is none's."""
        if self.root in {"", self.name}:
            return ""
        wholes = (
            f"{one.kind} {one.name}"
            for one in self.owners
            if one.controller and one.group_version.partition("/")[0] == self.group
        )
        return next(wholes, "")

    @property
    def environment(self) -> str:
        """Where it is used."""
        return self.labelled or self.namespace

    @property
    def since(self) -> str:
        """When a condition changed last. RFC 3339; empty where there is none."""
        return max((one.since for one in self.conditions), default="")

    @property
    def message(self) -> str:
        """What the condition that fails says, for people."""
        failing = [one for one in self.conditions if one.status == "False" and one.message]
        return failing[0].message if failing else condition(self.conditions, "Ready").reason


class CompositeChanged(CrossplaneObject):
    """A composite, or a claim, has come to another state. A hint: ask the cluster."""

    types: ClassVar[tuple[str, ...]] = (
        COMPOSITE_READY,
        COMPOSITE_NOT_READY,
        COMPOSITE_SYNCED,
        COMPOSITE_SYNC_FAILED,
        COMPOSITE_STUCK,
        COMPOSITE_DELETED,
    )


class ManagedResourceChanged(CrossplaneObject):
    """A managed resource has drifted from what is wanted, or is as it is wanted again."""

    types: ClassVar[tuple[str, ...]] = (MANAGED_DRIFTED, MANAGED_CORRECTED)
