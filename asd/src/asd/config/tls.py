"""`network { tls NAME { } }`: a certificate with its key, and whose certificates are believed."""

from __future__ import annotations

import re
from typing import Final

from attrs import define, field, setters

from asd.config.parameters import Section, flag, text

_VERSIONS: Final = ("TLSv1.2", "TLSv1.3")
NO_CLIENT_CERTIFICATE: Final = "false"
SECRET_SOURCES: Final = ("file:", "env:")


@define(on_setattr=setters.frozen)
class TlsConfig(Section):
    """One block, under the name that `tls-name` calls it by."""

    name: str = field(default="")
    ca_file: str = text(works=True, help="Certificates of those who vouch for the other side.")
    ca_path: str = text(works=True, help="Directory of such certificates, by OpenSSL's hashes.")
    cert_blacklist: str = text(
        works=True, help="File of certificates that are refused: serial numbers in hex, one a line."
    )
    cert_file: str = text(works=True, help="The certificate, with those that vouch for it behind.")
    cipher_suite: str = text(works=True, help="OpenSSL's list of ciphers for TLS 1.2.")
    key_file: str = text(works=True, help="The certificate's key.")
    key_file_password: str = text(
        works=True, help="Where the key's password is: `file:PATH` or `env:NAME`."
    )
    pki_user_append_ou: bool = flag(
        works=True, help="The user of a certificate is its CN with `:` and its OU behind."
    )
    protocols: str = text(
        "TLSv1.2 TLSv1.3", works=True, help="Versions spoken: TLSv1.2, TLSv1.3, or both."
    )

    def conflict(self) -> str:
        """Old versions are not spoken, and a key's password stands in no configuration."""
        words = [word for word in re.split(r"[\s,]+", self.protocols) if word != "-all"]
        unknown = [word for word in words if word.lstrip("+") not in (*_VERSIONS, "all")]
        if unknown or not versions(self.protocols):
            return f"protocols: '{' '.join(unknown)}' is not spoken, only {' and '.join(_VERSIONS)}"
        if self.key_file_password and not self.key_file_password.startswith(SECRET_SOURCES):
            return "key-file-password: say where it is, file:PATH or env:NAME"
        return ""

    def missing(self, *, ask_clients: bool) -> str:
        """What a port that uses the block needs besides; empty when all is there."""
        if not self.cert_file or not self.key_file:
            return f"tls {self.name} has no cert-file or no key-file"
        if ask_clients and not self.ca_file and not self.ca_path:
            return f"tls {self.name} has no ca-file or ca-path to verify clients by"
        return ""


def versions(protocols: str) -> list[str]:
    """The versions that `protocols` names, lowest first."""
    wanted = {word.lstrip("+") for word in re.split(r"[\s,]+", protocols)}
    return [version for version in _VERSIONS if version in wanted or "all" in wanted]


def asks_clients(whose: tuple[str, ...]) -> bool:
    """Does `tls-authenticate-client` want a certificate? Nothing said means any."""
    return whose != (NO_CLIENT_CERTIFICATE,)
