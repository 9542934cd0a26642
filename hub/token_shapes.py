"""What credentials look like, whoever issued them.

A net under everything else: the settings refuse such text, and the log masks it even where nobody
knew that it was a secret. It knows only shapes that nothing else has, so that ordinary text passes.
"""

import re

MASK = "***"

_SHAPES = tuple(
    (sign, re.compile(shape, re.DOTALL))
    for sign, shape in (
        # https://github.blog/engineering/behind-githubs-new-authentication-token-formats/
        ("gh", r"gh[oprsu]_[A-Za-z0-9_]{16,}"),
        ("github_pat_", r"github_pat_[A-Za-z0-9_]{16,}"),
        ("glpat-", r"glpat-[A-Za-z0-9_-]{16,}"),
        # https://docs.slack.dev/authentication/tokens
        ("xox", r"xox[a-z]-[A-Za-z0-9.-]{8,}"),
        ("xapp-", r"xapp-[A-Za-z0-9.-]{8,}"),
        ("hooks.slack", r"hooks\.slack\.com/[a-z]+/[A-Za-z0-9/_-]{8,}"),
        # https://docs.sonarsource.com/sonarqube-server/user-guide/managing-tokens
        ("sq", r"sq[apu]_[0-9a-f]{32,}"),
        ("AKIA", r"AKIA[0-9A-Z]{16}"),
        # https://www.rfc-editor.org/rfc/rfc7519, also a service account's token
        ("eyJ", r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"),
        # https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
        ("whsec_", r"whsec_[A-Za-z0-9+/=]{16,}"),
        # https://www.rfc-editor.org/rfc/rfc7468; to the end of the text where its own is cut off
        (
            "PRIVATE KEY",
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(?:.*?-----END [A-Z0-9 ]*PRIVATE KEY-----|.*)",
        ),
        # https://www.rfc-editor.org/rfc/rfc9110#section-11.4
        ("earer ", r"[Bb]earer +[A-Za-z0-9._~+/=-]{8,}"),
        ("asic ", r"[Bb]asic +[A-Za-z0-9+/=]{12,}"),
        (
            "uthorization",
            r"[Aa]uthorization[\"']?\s*[:=]\s*[\"']?(?:[A-Za-z]+ +)?[^\s\"',}]{8,}",
        ),
        # https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1: a password in an address
        ("://", r"://[^\s/:@?#]*:[^\s/@?#]+@"),
    )
)
"""Each with a sign that it cannot be without: looking for that first keeps a log line cheap."""


def looks_secret(text: str) -> bool:
    """Say whether there is a credential in this text."""
    return masked(text) != text


def masked(text: str) -> str:
    """Return the text with every credential in it replaced."""
    for sign, shape in _SHAPES:
        if sign in text:
            text = shape.sub(MASK, text)
    return text
