"""Every event type that the hub itself names, and what it means.

Senders have many more (each kind of delivery that GitHub knows becomes `com.github.<event>`, with
`.<action>` behind it where there is one); they are kept on the log under the same rule.
"""

from typing import Final

GITHUB: Final = "com.github."
"""What GitHub says, named as in the CloudEvents adapter for GitHub:
https://github.com/cloudevents/spec/blob/main/cloudevents/adapters/github.md."""

PUSH: Final = "com.github.push"
"""Commits, a new branch or tag, or a deletion of one."""
PULL_REQUEST_OPENED: Final = "com.github.pull_request.opened"
PULL_REQUEST_REOPENED: Final = "com.github.pull_request.reopened"
PULL_REQUEST_SYNCHRONIZE: Final = "com.github.pull_request.synchronize"
"""The head of a pull request has moved."""

ISSUE_COMMENT_CREATED: Final = "com.github.issue_comment.created"
"""A comment on an issue or a pull request. One that is edited later is nothing new."""

CHECK_RUN_REREQUESTED: Final = "com.github.check_run.rerequested"
"""Somebody asks on GitHub's pages that a check is run again."""

CHECK_SUITE_REREQUESTED: Final = "com.github.check_suite.rerequested"
"""Somebody asks that all checks of a commit are run again."""

TEKTON: Final = "dev.tekton.event."
"""What Tekton says of its runs: https://tekton.dev/docs/pipelines/events/."""

PIPELINE_RUN_STARTED: Final = "dev.tekton.event.pipelinerun.started.v1"
PIPELINE_RUN_RUNNING: Final = "dev.tekton.event.pipelinerun.running.v1"
PIPELINE_RUN_UNKNOWN: Final = "dev.tekton.event.pipelinerun.unknown.v1"
"""Neither begun nor ended: it waits, or what it refers to is looked up."""
PIPELINE_RUN_SUCCESSFUL: Final = "dev.tekton.event.pipelinerun.successful.v1"
PIPELINE_RUN_FAILED: Final = "dev.tekton.event.pipelinerun.failed.v1"
"""Failed, cancelled or timed out: the `Succeeded` condition's reason says which."""

APPLICATION: Final = "io.argoproj.argocd.application."
"""What our notification templates say of an Argo CD Application (`argocd/notifications/`)."""

APPLICATION_CREATED: Final = "io.argoproj.argocd.application.created.v1"
APPLICATION_DEPLOYED: Final = "io.argoproj.argocd.application.deployed.v1"
"""An operation has succeeded and the Application is healthy after it."""

SYNC_RUNNING: Final = "io.argoproj.argocd.application.sync-running.v1"
SYNC_SUCCEEDED: Final = "io.argoproj.argocd.application.sync-succeeded.v1"
SYNC_FAILED: Final = "io.argoproj.argocd.application.sync-failed.v1"
"""The operation ended in `Failed` (the cluster refused) or `Error` (Argo CD could not try)."""
SYNC_TERMINATING: Final = "io.argoproj.argocd.application.sync-terminating.v1"
"""Somebody stops a running operation."""

HEALTH_HEALTHY: Final = "io.argoproj.argocd.application.health-healthy.v1"
HEALTH_PROGRESSING: Final = "io.argoproj.argocd.application.health-progressing.v1"
HEALTH_DEGRADED: Final = "io.argoproj.argocd.application.health-degraded.v1"
HEALTH_SUSPENDED: Final = "io.argoproj.argocd.application.health-suspended.v1"
HEALTH_MISSING: Final = "io.argoproj.argocd.application.health-missing.v1"
HEALTH_UNKNOWN: Final = "io.argoproj.argocd.application.health-unknown.v1"

COMPOSITE: Final = "io.crossplane.composite."
"""What the hub's watcher sees of Crossplane's composites, claims among them, by their conditions:
https://docs.crossplane.io/latest/composition/composite-resources/."""

COMPOSITE_READY: Final = "io.crossplane.composite.ready.v1"
COMPOSITE_NOT_READY: Final = "io.crossplane.composite.not-ready.v1"
COMPOSITE_SYNCED: Final = "io.crossplane.composite.synced.v1"
COMPOSITE_SYNC_FAILED: Final = "io.crossplane.composite.sync-failed.v1"
"""Crossplane cannot bring about what is wanted. It may be ready as it was before all the same."""
COMPOSITE_STUCK: Final = "io.crossplane.composite.stuck.v1"
"""Not ready, or not synced, for longer than `watcher.stuck_seconds`."""
COMPOSITE_DELETED: Final = "io.crossplane.composite.deleted.v1"

MANAGED: Final = "io.crossplane.managed."
"""What the watcher sees of managed resources, where it is asked to."""

MANAGED_DRIFTED: Final = "io.crossplane.managed.drifted.v1"
"""What is there differs from what is wanted, and Crossplane cannot or may not mend it."""
MANAGED_CORRECTED: Final = "io.crossplane.managed.corrected.v1"

HUB: Final = "dev.trunkline."
"""What the hub says. Nobody else may."""

IMAGE_BUMPED: Final = "dev.trunkline.image.bumped.v1"
"""A build's image stands in an environment of the gitops repository."""
IMAGE_SUPERSEDED: Final = "dev.trunkline.image.superseded.v1"
"""A build's image was kept out of an environment, for a newer commit's was there before it."""
DEPLOYMENT_CHANGED: Final = "dev.trunkline.deployment.changed.v1"
"""A deployment was seen at a stage of its way; what is known of all of it stands in its record."""
PIPELINE_RUN_QUEUED: Final = "dev.trunkline.pipeline-run.queued.v1"
"""A PipelineRun was created that has to wait for others of its service."""
RUN_DEAD_LETTERED: Final = "dev.trunkline.run.dead-lettered.v1"
"""A handler's run for an event is dead or parked; it stays so until somebody replays it."""
