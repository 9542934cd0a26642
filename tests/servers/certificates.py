"""What a client and a server need to trust each other, made anew for every server."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from .life import run
from .process import HOST

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """All files are PEM."""

    username: str
    password: str
    password_file: Path
    ca_file: Path
    certificate_file: Path
    """The client's, with its key beside it."""
    key_file: Path
    server_file: Path
    """The server's key and certificate, in one file."""


def make_credentials(folder: Path) -> Credentials:
    """Make an authority, and what it has signed for a server on loopback and for a client."""
    password_file = folder / "scram-password"
    password_file.write_text(secrets.token_hex(16))
    ca = _issue(folder / "ca", "-subj", "/CN=authority of a test")
    signed = ("-CA", ca.with_suffix(".pem"), "-CAkey", ca.with_suffix(".key"))
    leaf = ("-addext", "basicConstraints=critical,CA:FALSE")
    names = ("-addext", f"subjectAltName=IP:{HOST},DNS:localhost")
    server = _issue(folder / "server", "-subj", "/CN=localhost", *leaf, *names, *signed)
    client = _issue(folder / "client", "-subj", "/CN=trunkline", *leaf, *signed)
    both = server.with_suffix(".both")
    both.write_text(server.with_suffix(".key").read_text() + server.with_suffix(".pem").read_text())
    return Credentials(
        username="trunkline",
        password=password_file.read_text(),
        password_file=password_file,
        ca_file=ca.with_suffix(".pem"),
        certificate_file=client.with_suffix(".pem"),
        key_file=client.with_suffix(".key"),
        server_file=both,
    )


def _issue(name: Path, *options: str | Path) -> Path:
    """Write a key and a certificate for two days; the options say whose and who signs it."""
    files = ("-keyout", name.with_suffix(".key"), "-out", name.with_suffix(".pem"))
    run(["openssl", "req", "-x509", "-days", "2", *_KEY, *files, *options])
    return name
