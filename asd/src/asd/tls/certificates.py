"""TLS of a port: the certificate, those of the other side, and files that change meanwhile.

An adapter: it reads certificate files, and makes the `ssl.SSLContext` that the loop's own TLS uses.

- Certificate and key are read again when their files have changed (`tls-refresh-period`), into the
  context in use: handshakes from then on have the new one, connections stay. A pair that cannot be
  read or does not fit is told of, and the old one goes on. Certificates of those who vouch for
  clients are added likewise; to take one away needs a restart.
- A client's certificate is verified in the handshake. What the handshake cannot know (blacklist and
  names of `tls-authenticate-client`) is looked at before the first byte is.
- Between nodes both sides show a certificate, and it must be one for the name of the `tls` block:
  that some application has one of the same authority makes it no node. Both sides look by the same
  function, so that none is let in where it would not be called, or the other way round.
- Whoever is refused is told of in one line of the log: the port, the address, and why, in words
  for people who mend it (`reason`); the same again at most once a minute.
- TLS 1.2 and 1.3 only, and of 1.2 only ciphers with forward secrecy; sessions are resumed by
  tickets, good at the port that gave them until the node stops. What a handshake would have seen
  of a certificate that has ended or was blacklisted since then, `admit` sees.
"""

from __future__ import annotations

import logging
import os
import re
import ssl
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from asd.config import TlsConfig
from asd.config.tls import versions
from asd.process.complaints import Complaints
from asd.security.audit import shown
from asd.security.session import CertificateRefused
from citrusleaf.cf_clock import NS_PER_S, Clock

log = logging.getLogger("asd.tls")

CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"
"""Of TLS 1.2, where the configuration names none."""
WARN_BEFORE_S: Final = 30 * 86400
"""How long before a certificate ends the log says so."""
OU_SEPARATOR: Final = ":"

_VERSIONS: Final = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


_REASONS: Final = (
    ("peer did not return a certificate", "it has shown no certificate"),
    ("http request", "it does not speak TLS, but HTTP"),
    ("wrong version number", "it does not speak TLS"),
    ("record layer failure", "it does not speak TLS"),
    ("unsupported protocol", "it speaks no version of TLS that protocols allows"),
    ("unsupported version", "it speaks no version of TLS that protocols allows"),
    ("version too low", "it speaks no version of TLS that protocols allows"),
    ("no shared cipher", "it knows no cipher that cipher-suite allows"),
    ("no suitable signature algorithm", "its ways to sign are not allowed"),
)
"""What the library says, and what that means."""

_VERIFY: Final = (
    ("self-signed", ", and ca-file and ca-path have none such"),
    ("issuer", ": whoever has signed it is not in ca-file or ca-path"),
)
"""Of certificates that cannot be verified: what is to be added to what the library says."""


class Certificates:
    """The certificate of one port, and what is asked of its clients."""

    _wanted = "among the names of tls-authenticate-client"

    def __init__(
        self, config: TlsConfig, whose: tuple[str, ...], clock: Clock, port: str = "service"
    ) -> None:
        """`whose` is `tls-authenticate-client`: `false`, `any` or nothing, or names; `port` is what
        the log calls the connections.

        Raises OSError (`ssl.SSLError` is one) when a file cannot be used.
        """
        self.config = config
        self._clock = clock
        self._port = port
        self._complaints = Complaints(log, clock.monotonic_ms)
        self._names = frozenset(whose) - {"any", "false"}
        self._blacklist: frozenset[int] = frozenset()
        self._read: dict[str, int] = {}
        self.context = _context(config, ssl.PROTOCOL_TLS_SERVER)
        asks = whose != ("false",)
        self.context.verify_mode = ssl.CERT_REQUIRED if asks else ssl.CERT_NONE
        self._load()

    def _contexts(self) -> tuple[ssl.SSLContext, ...]:
        """All that the files are for."""
        return (self.context,)

    # ------------------------------------------------------------------------ files

    def refresh(self) -> bool:
        """Read again what has changed; False when nothing has. What cannot be used is told of."""
        if self._times() == self._read:
            return False
        try:
            self._load()
        except (OSError, ValueError) as error:
            log.warning("tls %s goes on as it was: %s", self.config.name, error)
            return False
        log.info("tls %s: certificates read again", self.config.name)
        return True

    def _load(self) -> None:
        self._read = self._times()
        config = self.config
        password = _secret(config.key_file_password)
        # Into a context of its own first: half a change must not come into the one in use.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            config.cert_file, config.key_file, password
        )
        self._blacklist = _serials(config.cert_blacklist)
        for context in self._contexts():
            context.load_cert_chain(config.cert_file, config.key_file, password)
            if config.ca_file or config.ca_path:
                context.load_verify_locations(config.ca_file or None, config.ca_path or None)
        self._warn_of_end()

    def _times(self) -> dict[str, int]:
        config = self.config
        files = (config.cert_file, config.key_file, config.ca_file, config.cert_blacklist)
        return {file: os.stat(file).st_mtime_ns for file in files if os.path.exists(file)}

    def _warn_of_end(self) -> None:
        certificate = x509.load_pem_x509_certificate(Path(self.config.cert_file).read_bytes())
        end_s = certificate.not_valid_after_utc.timestamp()
        left_s = end_s - self._clock.wall_ns() / NS_PER_S
        if left_s < WARN_BEFORE_S:
            end = certificate.not_valid_after_utc
            log.warning("the certificate of tls %s ends on %s", self.config.name, end)

    # --------------------------------------------------------------- the other side

    def admit(self, connection: ssl.SSLObject | None) -> str:
        """Who the other side is by its certificate; empty where none is asked for.

        Raises CertificateRefused.
        """
        if connection is None or self.context.verify_mode is ssl.CERT_NONE:
            return ""
        wire = connection.getpeercert(binary_form=True)
        if wire is None:
            raise CertificateRefused("no certificate")
        certificate = x509.load_der_x509_certificate(wire)
        name = self._name(certificate)
        if certificate.serial_number in self._blacklist:
            serial = f"{certificate.serial_number:x}"
            raise CertificateRefused(f"the certificate of '{name}', {serial}, is blacklisted")
        if certificate.not_valid_after_utc.timestamp() < self._clock.wall_ns() / NS_PER_S:
            raise CertificateRefused(f"the certificate of '{name}' has expired")
        if self._names and self._names.isdisjoint(_names(certificate)):
            raise CertificateRefused(f"'{name}' is not {self._wanted}")
        return name

    def let_in(self, connection: ssl.SSLObject | None, peer: str) -> str | None:
        """As `admit`; None where the other side is refused, which the log is told."""
        try:
            return self.admit(connection)
        except CertificateRefused as error:
            self.complain(peer, str(error))
            return None

    def complain(self, peer: str, what: str | ssl.SSLError) -> None:
        """Tell of one that is refused, by its host and port."""
        why = shown(what if isinstance(what, str) else reason(what))
        host = peer.rpartition(":")[0]
        text = "%s: %s refused, by TLS: %s"
        self._complaints.say((host, why), text, self._port, peer, why)

    def _name(self, certificate: x509.Certificate) -> str:
        subject = certificate.subject
        names = [str(each.value) for each in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        if not names:
            return ""
        units = subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
        if self.config.pki_user_append_ou and units:
            return names[0] + OU_SEPARATOR + str(units[0].value)
        return names[0]


class NodeCertificates(Certificates):
    """The certificate that a node shows to others, whoever of the two has called."""

    def __init__(self, config: TlsConfig, clock: Clock, plane: str) -> None:
        """`plane` is what the log calls the connections.

        Raises OSError (`ssl.SSLError` is one) when a file cannot be used.
        """
        self.dialing = _context(config, ssl.PROTOCOL_TLS_CLIENT)
        self.dialing.check_hostname = False  # nodes are known by the name of the block: `admit`
        self._wanted = f"a node: no certificate for '{config.name}'"
        super().__init__(config, (config.name,), clock, plane)

    def _contexts(self) -> tuple[ssl.SSLContext, ...]:
        return (self.context, self.dialing)


def _context(config: TlsConfig, side: int) -> ssl.SSLContext:
    """A context that speaks what the configuration allows, with no certificates yet."""
    context = ssl.SSLContext(side)
    spoken = versions(config.protocols)
    context.minimum_version = _VERSIONS[spoken[0]]
    context.maximum_version = _VERSIONS[spoken[-1]]
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_ciphers(config.cipher_suite or CIPHERS)
    return context


def reason(error: ssl.SSLError) -> str:
    """What went wrong, in words for people who mend it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        said = error.verify_message
        more = next((more for part, more in _VERIFY if part in said), "")
        return f"its certificate cannot be verified: {said}{more}"
    said = (error.reason or str(error)).lower().replace("_", " ")
    _, alert, about = said.partition(" alert ")
    if alert:
        return f"it refuses our certificate or our TLS: {about}"
    return next((means for part, means in _REASONS if part in said), said)


def _names(certificate: x509.Certificate) -> set[str]:
    """All that the certificate is for: its common names, and its alternative ones."""
    subject = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    names = {str(each.value) for each in subject}
    try:
        more = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return names
    return names | set(more.value.get_values_for_type(x509.DNSName))


def _serials(file: str) -> frozenset[int]:
    """The serial numbers in a blacklist. Raises OSError, ValueError."""
    if not file:
        return frozenset()
    lines = (line.partition("#")[0].split() for line in Path(file).read_text("utf-8").splitlines())
    return frozenset(int(re.sub("[:]", "", words[0]), 16) for words in lines if words)


def _secret(where: str) -> str | None:
    """What is in the file or variable that a parameter names. Raises OSError."""
    kind, _, name = where.partition(":")
    if kind == "file":
        return Path(name).read_text("utf-8").strip()
    if kind == "env":
        try:
            return os.environ[name]
        except KeyError:
            raise OSError(f"there is no variable {name} in the environment") from None
    return None
