"""The certificates of all ports of a node, and the eye that is kept on their files.

What makes TLS is loaded where a port asks for it: it costs a start what only those need who use it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

from asd.config import Config
from citrusleaf.cf_clock import Clock

if TYPE_CHECKING:
    from asd.tls.certificates import Certificates, NodeCertificates

LOOK_AGAIN_S: Final = 5
"""How often it is looked whether `tls-refresh-period` is no longer 0."""


class TlsSection(Protocol):
    """A section of the configuration whose port may speak TLS."""

    @property
    def tls_port(self) -> int: ...

    @property
    def tls_name(self) -> str: ...


class ClientSection(TlsSection, Protocol):
    """One whose port is for clients."""

    @property
    def tls_authenticate_client(self) -> tuple[str, ...]: ...


class Keeper:
    """The certificates of one node."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        self._kept: list[Certificates] = []

    def of_port(self, section: ClientSection, port: str) -> Certificates | None:
        """What a port for clients shows and asks for; None without a TLS port. `port` is what the
        log calls it.

        Raises OSError (`ssl.SSLError` is one) when a file cannot be used.
        """
        if not section.tls_port:
            return None
        from asd.tls.certificates import Certificates

        tls = self._config.network.tls[section.tls_name]
        made = Certificates(tls, section.tls_authenticate_client, self._clock, port)
        self._kept.append(made)
        return made

    def of_nodes(self, section: TlsSection, plane: str) -> NodeCertificates | None:
        """What a node shows to others, and asks of them; None without a TLS port. Raises OSError,
        likewise."""
        if not section.tls_port:
            return None
        from asd.tls.certificates import NodeCertificates

        tls = self._config.network.tls[section.tls_name]
        made = NodeCertificates(tls, self._clock, plane)
        self._kept.append(made)
        return made

    async def run(self) -> None:
        """Look every `tls-refresh-period` (0: never) for files that have changed. Ends by
        cancellation."""
        service = self._config.service
        while True:
            await asyncio.sleep(service.tls_refresh_period or LOOK_AGAIN_S)
            if service.tls_refresh_period:
                for each in self._kept:
                    each.refresh()
