"""What a request says its body is."""

import re

from hub.errors import UnsupportedMedia
from hub.sources.interface import Headers

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

_CHARSET = re.compile(r';\s*charset\s*=\s*"?([^\s";]*)', re.IGNORECASE)
_UTF_8 = frozenset({"utf-8", "utf8", "us-ascii"})


def media_type(headers: Headers) -> str:
    """Return the media type in lower case without its parameters; empty where none is given.

    Raises UnsupportedMedia for a character set other than UTF-8.
    """
    content_type = headers.get("content-type", "")
    charset = _CHARSET.search(content_type)
    if charset is not None and charset[1].lower() not in _UTF_8:
        raise UnsupportedMedia("the only character set taken is UTF-8")
    return content_type.partition(";")[0].strip().lower()
