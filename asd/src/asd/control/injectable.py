"""Whoever faults can be injected into: a server of tests, a node of a cluster of tests."""

from __future__ import annotations

from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from asd.control.injected import InjectedFault


class Injectable(ABC):
    """Has `inject` and `remove_faults`, over its `control`."""

    @abstractmethod
    def control(self, command: str, arguments: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Have a command of `docs/testing-control.md` carried out; its answer.

        Raises ValueError for what is no command or not its arguments, OperationError for what the
        server refuses, RuntimeError when it is not running or its process has ended.
        """

    def inject(
        self,
        fault: str | None = None,
        *,
        kind: str | Sequence[str] | None = None,
        namespace: str | None = None,
        set: str | None = None,
        key: str | int | bytes | None = None,
        digest: bytes | None = None,
        bin: str | None = None,
        times: int | None = None,
        code: int | str | None = None,
        delay_ms: float | None = None,
        reply: str | None = None,
        seconds: float | None = None,
    ) -> InjectedFault:
        """Have something happen to the next requests that fit (see `docs/testing-faults.md`).

        `fault`       one that is ready made: `hot-key`, `device-overload`, `stop-writes`,
                      `partition-unavailable`, `record-too-big`, `slow-node`, `clock-skew`
        `kind`        `read`, `write`, `delete`, `udf`, `query`: any of these by default; `info`,
                      `connect`; or several
        `namespace`, `set`, `bin`, and `key` (with its set) or `digest`: only requests about these
        `times`       how many requests; 0: all, until it is removed. 1 by default
        `code`        they are answered with this result code, by name or number, not carried out
        `delay_ms`    they are carried out, and the reply waits so long
        `reply`       they are carried out, and the reply is `lost` or `cut` in half; with it goes
                      the connection
        `seconds`     of `clock-skew`: how far the server's clock is ahead of the system's

        ValueError for what does not go together.
        """
        given = {
            "fault": fault,
            "kind": kind if kind is None or isinstance(kind, str) else list(kind),
            "namespace": namespace,
            "set": set,
            "key": {"$bytes": b64encode(key).decode()} if isinstance(key, bytes) else key,
            "digest": None if digest is None else digest.hex(),
            "bin": bin,
            "times": times,
            "code": code,
            "delay_ms": delay_ms,
            "reply": reply,
            "seconds": seconds,
        }
        wanted = {name: value for name, value in given.items() if value is not None}
        return InjectedFault(self.control, self.control("inject", wanted)["id"])

    def remove_faults(self) -> None:
        """Take all injected faults back."""
        self.control("remove-fault")
