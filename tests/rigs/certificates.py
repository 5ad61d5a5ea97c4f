"""A certificate authority of one's own, made with the openssl program."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

# What RFC 5280 wants of both; Python verifies it strictly since 3.13
_EXTENSIONS = """
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {alternative_name}
"""


@dataclass(frozen=True, slots=True)
class Certificates:
    """An authority's certificate, and a server's with its key."""

    authority: Path
    server: Path
    server_key: Path


def make_certificates(directory: Path, alternative_name: str) -> Certificates:
    """Certificates in `directory`; `alternative_name` is `IP:127.0.0.1` or `DNS:some.host`.

    Skips the test where openssl is not installed.
    """
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed (Debian: openssl)")
    directory.mkdir(exist_ok=True)
    made = Certificates(directory / "ca.pem", directory / "server.pem", directory / "server.key")
    authority_key, extensions = directory / "ca.key", directory / "extensions"
    extensions.write_text(_EXTENSIONS.format(alternative_name=alternative_name))
    _openssl("req", "-x509", *_new_key(authority_key), "-subj", "/CN=test authority", "-days", "2",
             "-config", str(extensions), "-extensions", "authority",
             "-out", str(made.authority))  # fmt: skip
    request = directory / "server.csr"
    _openssl("req", *_new_key(made.server_key), "-subj", "/CN=test broker", "-out", str(request))
    _openssl("x509", "-req", "-in", str(request), "-CA", str(made.authority), "-CAkey",
             str(authority_key), "-CAcreateserial", "-days", "2",
             "-extfile", str(extensions), "-extensions", "server", "-out", str(made.server))  # fmt: skip
    return made


def _new_key(key: Path) -> list[str]:
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", str(key)]


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
