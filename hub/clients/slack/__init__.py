"""Slack: one living message for each deployment, with its details in a thread.

`client` decides what to post and remembers it (`notes`), `blocks` says how it looks, `api` and
`wire` speak the Web API.
"""

from hub.clients.slack.client import Slack

__all__ = ["Slack"]
