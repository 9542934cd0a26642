"""Which addresses the hub never connects to, whatever a name resolves to. Pure: no I/O.

A base address in the settings may name a host whose DNS somebody else controls. Without a look at
what it resolved to, the hub could be made to ask a cloud's metadata service for credentials
(https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html).
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

_Address = IPv4Address | IPv6Address

_NEVER = tuple(
    ip_network(block)
    for block in (
        "0.0.0.0/8",  # "this host": Linux connects to loopback
        "169.254.0.0/16",  # link-local; 169.254.169.254 is the clouds' metadata service
        "100.100.100.200/32",  # Alibaba Cloud's metadata service
        "224.0.0.0/4",
        "::/128",
        "fe80::/10",
        "fd00:ec2::254/128",  # the metadata service of AWS over IPv6
        "ff00::/8",
    )
)
_NAT64 = ip_network("64:ff9b::/96")


def refusal(host: str, address: str) -> str | None:
    """Return why `address`, which the name `host` led to, is not connected to; None if it may be.

    Loopback is allowed only where the configured host itself says loopback.
    """
    plain = _plain(ip_address(address))
    if any(plain in block for block in _NEVER if block.version == plain.version):
        return f"{host} leads to {plain}, a link-local, metadata or unroutable address"
    if plain.is_loopback and not is_loopback(host):
        return f"{host} leads to {plain}, this machine itself"
    return None


def is_loopback(host: str) -> bool:
    """Whether a configured host name or literal means this machine."""
    literal = parse_literal(host)
    if literal is not None:
        return _plain(literal).is_loopback
    name = host.rstrip(".").lower()
    return name == "localhost" or name.endswith(".localhost")


def parse_literal(host: str) -> _Address | None:
    """Return the address that `host` is written as, or None where it is a name."""
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


def _plain(address: _Address) -> _Address:
    """Unwrap an IPv4 address that travels inside an IPv6 one, so that it cannot hide there."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
