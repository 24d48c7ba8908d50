"""An authority of one's own: certificates made on the fly, into files, for tests."""

from __future__ import annotations

import os
import ssl
from datetime import datetime
from pathlib import Path
from typing import Final

import trustme
from attrs import frozen

from asd.config import TlsConfig

NAME: Final = "citrusleaf"
"""What nodes are called in their certificates: the name of the `tls` block that uses them."""


@frozen
class Pair:
    """The files of a certificate and its key."""

    cert_file: str
    key_file: str


class Authority:
    """Issues certificates into files of one folder, which are readable by their owner alone."""

    def __init__(self, folder: Path) -> None:
        """`folder` is there."""
        self._folder = folder
        self._authority = trustme.CA()
        self.ca_file = str(folder / "ca.pem")
        """What those have to be told who are to believe it."""
        _write(self.ca_file, self._authority.cert_pem)

    def issue(
        self,
        name: str,
        *hosts: str,
        file: str = "",
        unit: str | None = None,
        not_after: datetime | None = None,
    ) -> Pair:
        """A certificate for a common name, and for names of hosts. Another of the same `file` takes
        the place of the one before, as when a certificate is renewed."""
        issued = self._authority.issue_cert(
            *(hosts or (f"{_host(name)}.invalid",)),
            common_name=name,
            organization_unit_name=unit,
            not_after=not_after,
        )
        stem = self._folder / (file or _host(name))
        pair = Pair(f"{stem}.cert.pem", f"{stem}.key.pem")
        # the key first: whoever looks between the two finds that they do not fit, and waits
        _write(pair.key_file, issued.private_key_pem)
        _write(pair.cert_file, *issued.cert_chain_pems)
        return pair

    def issue_node(self, host: str, not_after: datetime | None = None) -> Pair:
        """The certificate of nodes on a host; again: one that takes its place."""
        return self.issue(NAME, NAME, host, file="node", not_after=not_after)

    def block(self, pair: Pair) -> TlsConfig:
        """The `tls` block of nodes with such a certificate."""
        return TlsConfig(NAME, ca_file=self.ca_file, **_files(pair))

    def client(self, pair: Pair | None = None) -> ssl.SSLContext:
        """What a client speaks TLS with that believes the authority, and may show a certificate.
        The name to ask for is `NAME`."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if pair is not None:
            context.load_cert_chain(pair.cert_file, pair.key_file)
        return context


def _files(pair: Pair) -> dict[str, str]:
    return {"cert_file": pair.cert_file, "key_file": pair.key_file}


def _host(name: str) -> str:
    """The name as a part of a host's, and of a file's."""
    return "".join(each if each.isalnum() else "-" for each in name)


def _write(path: str, *blobs: trustme.Blob) -> None:
    """Put a whole file in the place of another."""
    new = f"{path}.new"
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(b"".join(blob.bytes() for blob in blobs))
    os.replace(new, path)
