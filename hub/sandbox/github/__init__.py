"""GitHub as the sandbox has it: repositories, pull requests, webhooks and the REST API.

Protocol: https://docs.github.com/en/rest and https://docs.github.com/en/webhooks.
"""

from hub.sandbox.github.hosting import GitHub

__all__ = ["GitHub"]
