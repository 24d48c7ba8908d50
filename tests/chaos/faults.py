"""Faults, done to a ground: begun, held, ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from chaos.ground import REST_S, Ground
from chaos.plan import SETTINGS, SPARE, Fault, Kind, Round

BETWEEN_S: Final = 0.7
"""Between the beginnings, and the ends, of faults that are held together."""


class Refused(Exception):
    """A node does not take a setting."""


class Faults:
    """Does faults to a ground."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._begin: dict[Kind, Callable[[Fault], None]] = {
            Kind.KILL: lambda fault: ground.kill(fault.node),
            Kind.STUTTER: lambda fault: ground.pause(fault.node),
            Kind.HANG: lambda fault: ground.pause(fault.node),
            Kind.SPLIT: self._split,
            Kind.RESTART: lambda fault: ground.terminate(fault.node),
            Kind.ROLLING: self._roll,
            Kind.JOIN: lambda fault: ground.start(SPARE),
            Kind.SETTING: lambda fault: self._set(fault, usual=False),
        }
        self._end: dict[Kind, Callable[[Fault], None]] = {
            Kind.KILL: lambda fault: ground.start(fault.node),
            Kind.STUTTER: lambda fault: ground.resume(fault.node),
            Kind.HANG: lambda fault: ground.resume(fault.node),
            Kind.SPLIT: lambda fault: ground.heal(),
            Kind.RESTART: lambda fault: ground.start(fault.node),
            Kind.ROLLING: lambda fault: None,
            Kind.JOIN: self._leave,
            Kind.SETTING: lambda fault: self._set(fault, usual=True),
        }

    def do(self, faults: Round) -> None:
        """Begin all, hold them, end all, and return when the cluster is at rest. Raises
        TimeoutError when it does not come to rest."""
        ground = self._ground
        kinds = " + ".join(fault.kind.value for fault in faults)
        ground.note("fault", faults[0].node, kinds)
        for number, fault in enumerate(faults):
            if number:
                time.sleep(BETWEEN_S)
            self._begin[fault.kind](fault)
        time.sleep(max(fault.hold_s for fault in faults))
        for number, fault in enumerate(in_order_of_end(faults)):
            if number:
                time.sleep(BETWEEN_S)
            self._end[fault.kind](fault)
        ground.rest()
        ground.note("over", faults[0].node, kinds)

    def _split(self, fault: Fault) -> None:
        usable = self._ground.usable
        alone = [node for node in usable if node == fault.node] or usable[:1]
        self._ground.split(alone, [node for node in usable if node not in alone])
        # Who is cut off must have noticed, or nothing was cut.
        self._ground.cluster.wait_stable(REST_S, nodes=alone)

    def _roll(self, fault: Fault) -> None:
        for node in self._ground.usable:
            self._ground.terminate(node)
            self._ground.rest()
            self._ground.start(node)
            self._ground.rest()

    def _leave(self, fault: Fault) -> None:
        if len(self._ground.running) == len(self._ground.usable):
            self._ground.rest()
        self._ground.terminate(SPARE)

    def _set(self, fault: Fault, *, usual: bool) -> None:
        setting = SETTINGS[fault.setting]
        value = setting.usual if usual else setting.value
        said = self._ground.set_config(f"context={setting.where};{setting.name}={value}")
        if said != "ok":
            raise Refused(f"{setting.name}={value}: {said}")
        if setting.needs_balance:
            self._ground.recluster()
            if usual:
                time.sleep(BETWEEN_S)


def in_order_of_end(faults: Round) -> list[Fault]:
    """How faults that were begun are ended. A split is healed when nobody hangs any more: all must
    hear of it. Who has joined leaves a cluster at rest, and it is none before."""
    return sorted(faults, key=lambda fault: {Kind.SPLIT: 1, Kind.JOIN: 2}.get(fault.kind, 0))
