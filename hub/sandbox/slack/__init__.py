"""Slack as the sandbox has it: channels with messages and threads, behind the Web API.

Protocol: https://docs.slack.dev/apis/web-api.
"""

from hub.sandbox.slack.hosting import Slack
from hub.sandbox.slack.workspace import SlackMessage

__all__ = ["Slack", "SlackMessage"]
