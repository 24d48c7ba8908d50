"""Contexts that the protocol's release knows and this server does not serve: why, and the names in
them.

Such a block is refused as a whole, at the line it opens on. Nobody is told to take it out: a file
that asks for access control or encryption must not become one that serves without. Its names are
known all the same, so that what is misspelt within is said in the same breath.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from attrs import field, frozen

from asd.config.namespace import INDEXES_IN_MEMORY


@frozen
class RefusedContext:
    """A context: why it is refused, the names of its parameters, the contexts within."""

    why: str
    names: frozenset[str]
    contexts: Mapping[str, RefusedContext] = field(factory=lambda: MappingProxyType({}))


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


NO_SECURITY: Final = "there is no access control in the community edition"
NO_TLS: Final = "there is no TLS in the community edition"
NO_XDR: Final = "there is no shipping in the community edition"
NO_SYSLOG: Final = "log to the console and let the init system pass it on"

LDAP: Final = RefusedContext(
    NO_SECURITY,
    _names(
        """
        disable-tls login-threads polling-period query-base-dn query-user-dn
        query-user-password-file role-query-base-dn role-query-pattern role-query-search-ou server
        tls-ca-file token-hash-method user-dn-pattern user-query-pattern
        """
    ),
)

SECURITY: Final = RefusedContext(
    NO_SECURITY,
    _names("default-password-file enable-quotas privilege-refresh-period session-ttl tps-weight"),
    MappingProxyType(
        {
            "ldap": LDAP,
            "log": RefusedContext(
                NO_SECURITY,
                _names(
                    """
                    report-authentication report-data-op report-data-op-role report-data-op-user
                    report-sys-admin report-user-admin report-violation
                    """
                ),
            ),
        }
    ),
)

XDR: Final = RefusedContext(
    NO_XDR,
    _names("src-id"),
    MappingProxyType(
        {
            "dc": RefusedContext(
                NO_XDR,
                _names(
                    """
                    auth-mode auth-password-file auth-user connector max-recoveries-interleaved
                    node-address-port period-ms recovery-threads tls-name
                    use-alternate-access-address
                    """
                ),
                MappingProxyType(
                    {
                        "namespace": RefusedContext(
                            NO_XDR,
                            _names(
                                """
                                bin-policy compression-algorithm compression-level
                                compression-threshold delay-ms
                                enable-compression forward hot-key-ms ignore-bin ignore-expunges
                                ignore-set max-throughput remote-namespace sc-replication-wait-ms
                                ship-bin ship-bin-luts ship-nsup-deletes ship-only-specified-sets
                                ship-set ship-versions-interval ship-versions-policy
                                transaction-queue-limit write-policy
                                """
                            ),
                        )
                    }
                ),
            )
        }
    ),
)

TLS: Final = RefusedContext(
    NO_TLS,
    _names(
        """
        ca-file ca-path cert-blacklist cert-file cipher-suite key-file key-file-password
        pki-user-append-ou protocols
        """
    ),
)

SYSLOG: Final = RefusedContext(NO_SYSLOG, _names("context facility path tag"))

INDEX_MOUNTS: Final = RefusedContext(
    f"{INDEXES_IN_MEMORY}, on no mounts; leave it out, and limit them by indexes-memory-budget",
    _names("evict-mounts-pct mount mounts-budget"),
)
"""What `index-type flash { }`, `index-type pmem { }` and their like for `sindex-type` hold."""

REFUSED: Final[Mapping[str, RefusedContext]] = MappingProxyType(
    {
        "logging syslog": SYSLOG,
        "namespace index-type": INDEX_MOUNTS,
        "namespace sindex-type": INDEX_MOUNTS,
    }
)
"""Refused contexts by the blocks that lead to them."""
