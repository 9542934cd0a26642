"""The main story: a push travels to staging, and everybody can see it."""

from hub.sandbox.github.statuses import CommitStatus


async def test_a_push_travels_to_staging_and_the_channel_follows_it(platform):
    commit = await platform.world.push(message="Charge the card only once")
    await platform.settled()

    (run,) = platform.pipeline_runs()
    assert run["metadata"]["annotations"]["trunkline.dev/revision"] == commit.sha
    assert [one.state for one in statuses(platform, commit.sha)] == ["success"]
    for environment in ("dev", "staging"):
        (image,) = platform.world.running("order-service", environment)
        assert commit.sha[:12] in image or "@sha256:" in image
    assert set(platform.messages()) == {"order-service → dev", "order-service → staging"}
    message = platform.messages()["order-service → staging"]
    assert f"healthy ({commit.sha[:7]})" in message.text


def statuses(platform, sha: str) -> list[CommitStatus]:
    return list(platform.world.github.statuses.latest("company/order-service", sha))
