"""The headers of a request, as the proofs and the sources see them."""

from multidict import CIMultiDictProxy

from hub.receiver.refusals import BadHeaders

_DECISIVE = ("authorization", "content-", "ce-", "webhook-", "x-github-", "x-hub-")
"""How the names begin of headers that decide what is believed or stored."""


def read_headers(received: CIMultiDictProxy[str]) -> dict[str, str]:
    """Return the headers with lower-case names, all values ASCII.

    Raises BadHeaders where one that decides something came twice or is not ASCII: two readers could
    see two things in it. Of the others the repeated are joined by commas, as RFC 9110 section 5.2
    has it, and those that are not ASCII are left out.
    """
    headers: dict[str, str] = {}
    for given, value in received.items():
        name = given.lower()
        if name not in headers and value.isascii():
            headers[name] = value
        elif name.startswith(_DECISIVE):
            raise BadHeaders("a header that decides something came twice or is not ASCII")
        elif value.isascii():
            headers[name] = f"{headers[name]}, {value}"
    return headers
