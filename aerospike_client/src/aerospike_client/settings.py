"""`Settings`: what both faces make of a client's seeds and policy before they connect."""

from __future__ import annotations

import logging
from collections.abc import Callable

import attrs

from aerospike_client.core.addresses import Seeds, parse_seeds
from aerospike_client.core.session import Sessions
from aerospike_client.core.tend import Tend
from aerospike_client.core.tend_events import (
    NodeAdded,
    NodeRemoved,
    Output,
    PartitionsChanged,
    TendOptions,
)
from aerospike_client.core.view import ClusterView
from aerospike_client.errors import NotConnected, SecurityFailed
from aerospike_client.policies import ClientPolicy
from aerospike_client.tls import Tls
from aerospike_client.transport import CLOSED
from citrusleaf.cf_random import CfRandom

log = logging.getLogger("aerospike_client")

ClusterEvent = NodeAdded | NodeRemoved | PartitionsChanged
"""What listeners are told."""

Listener = Callable[[ClusterEvent], None]
"""Called on the loop, or on the thread that tends: it must not block."""


@attrs.define
class Settings:
    """The parts of a client that do no IO."""

    policy: ClientPolicy
    view: ClusterView
    tend: Tend
    sessions: Sessions | None
    tls: Tls | None
    random: CfRandom
    listeners: list[Listener] = attrs.field(factory=list)
    #: What a node has answered who does not let the user in.
    refusal: SecurityFailed | None = None

    @classmethod
    def of(cls, seeds: Seeds, policy: ClientPolicy, random: CfRandom | None = None) -> Settings:
        """From what an application gives. InvalidParameter for seeds that are none, and for
        certificates that cannot be used."""
        view = ClusterView(policy.rack_ids, policy.max_error_rate)
        options = TendOptions(
            cluster_name=policy.cluster_name,
            alternate=policy.use_services_alternate,
            tls=policy.tls is not None,
            ip_map=policy.ip_map,
            racks=bool(policy.rack_ids),
            error_rate_window=max(1, policy.error_rate_window),
            app_id=policy.app_id,
        )
        tend = Tend(view, parse_seeds(seeds), options)
        tls = Tls(policy.tls) if policy.tls is not None else None
        sessions = Sessions.of(policy.auth_mode, policy.user, policy.password)
        return cls(policy, view, tend, sessions, tls, random or CfRandom())

    def tell(self, output: Output) -> None:
        """Let the listeners know, if it is news."""
        if isinstance(output, ClusterEvent):
            for listener in list(self.listeners):
                try:
                    listener(output)
                except Exception:  # the cluster must be tended whatever a listener does
                    log.exception("a listener failed to take %s", output)

    def first_contact(self, reason: str) -> str:
        """What went wrong with a node that has never answered: it may be another kind of port, or
        want a certificate, and says so by closing alone."""
        if reason != CLOSED:
            return reason
        if self.policy.tls is None:
            return f"{CLOSED}: is that a port for TLS?"
        if self.policy.tls.cert_file is None:
            return f"{CLOSED}: does it ask for a certificate (TlsPolicy(cert_file=...))?"
        return f"{CLOSED}: its log may say what it has against our certificate"

    def task_id(self) -> int:
        """A number for a query, to be known by on all nodes: 64 random bits, not all 0."""
        return self.random.u64() or 1

    def check_connected(self, failures: tuple[str, ...]) -> None:
        """NotConnected when no node is known although there should be one, SecurityFailed when that
        is because the user is not let in."""
        if not self.view.nodes and self.policy.fail_if_not_connected:
            if self.refusal is not None:
                raise self.refusal
            reasons = "; ".join(failures) or "no seed answered"
            raise NotConnected(f"no node of the cluster can be reached: {reasons}")
