"""The deployments channel has one message for each revision on its way into an environment.

The message is drawn from all that is known of the deployment at the moment of posting, so a burst
of changes needs one post, and a late one changes nothing that it should not.
"""

from hub.actions.hub import ReadDeployment
from hub.actions.slack import KeepMessage, MessageLine, ReplyInThread
from hub.dispatch import Do, on
from hub.events.deployment import Deployment
from hub.events.trunkline import DeploymentChanged


@on(
    DeploymentChanged,
    lane=lambda change: f"{change.service}/{change.environment}/{change.revision}",
)
async def announce_deployment(change: DeploymentChanged, do: Do) -> None:
    """Keep one message in the deployments channel for each revision and environment."""
    deployment = await do(
        ReadDeployment(
            service=change.service, environment=change.environment, revision=change.revision
        )
    )
    await do(_message(deployment, do.platform.channel))
    if change.stage.failed and change.detail:
        await do(
            ReplyInThread(
                key=deployment.key,
                channel=do.platform.channel,
                text=f"{change.stage}: {change.detail}",
            )
        )


def _message(deployment: Deployment, channel: str) -> KeepMessage:
    stage = deployment.current.stage if deployment.current else "on its way"
    commit = deployment.revision[:7]
    return KeepMessage(
        key=deployment.key,
        channel=channel,
        title=f"{deployment.service} → {deployment.environment}: {stage} ({commit})",
        lines=tuple(
            MessageLine(label=one.stage, text=f"{one.at} {one.detail}".strip(), url=one.url)
            for one in deployment.sightings
        ),
        version=deployment.version,
    )
