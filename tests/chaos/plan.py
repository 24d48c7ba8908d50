"""The plan of a lap: which faults, on which nodes, for how long. A seed gives one plan."""

from __future__ import annotations

import random
from enum import Enum
from typing import Final, NamedTuple


class Kind(Enum):
    """What can be done to a cluster."""

    KILL = "kill"
    STUTTER = "pause of 1 s"
    HANG = "long pause"
    SPLIT = "split"
    RESTART = "restart"
    ROLLING = "rolling restart"
    JOIN = "join"
    SETTING = "set-config"


class Laps(Enum):
    """Which laps a run has."""

    BOTH = "both"
    """One fault at a time in the first half of the time, then several at once."""
    ONE = "one"
    SEVERAL = "several"
    SHORT = "short"
    """Each kind of fault as short as can be."""


class Fault(NamedTuple):
    """One fault: begun, held, ended."""

    kind: Kind
    node: int = -1
    hold_s: float = 0.0
    setting: int = 0
    """Which of `SETTINGS`."""


Round = tuple[Fault, ...]
"""Faults that are begun one after the other and held together."""


class Setting(NamedTuple):
    """A setting that is changed while the cluster serves, and changed back."""

    where: str
    name: str
    value: str
    usual: str
    needs_balance: bool = False


SETTINGS: Final = (
    Setting("service", "migrate-threads", "4", "1"),
    Setting("service", "migrate-max-num-incoming", "1", "4"),
    Setting("namespace;id=mem", "migrate-sleep", "100", "1"),
    Setting("namespace;id=ssd", "transaction-pending-limit", "3", "20"),
    Setting("namespace;id=mem", "replication-factor", "3", "2", needs_balance=True),
    Setting("namespace;id=ssd", "replication-factor", "3", "2", needs_balance=True),
    Setting("namespace;id=ssd", "prefer-uniform-balance", "true", "false", needs_balance=True),
)

NODES: Final = 3
SPARE: Final = 3
"""The node that joins and leaves."""
STUTTER_S: Final = 1.0
HANGS_S: Final = (6.0, 12.0, 30.0)
"""Longer than the heartbeat's timeout: others take over."""
SINGLE: Final = (*Kind,)
TOGETHER: Final = (Kind.KILL, Kind.HANG, Kind.SPLIT, Kind.RESTART, Kind.JOIN, Kind.SETTING)
ON_A_NODE: Final = (Kind.KILL, Kind.STUTTER, Kind.HANG, Kind.RESTART)
ROUNDS_TOGETHER: Final = 5


def one_at_a_time(rng: random.Random) -> list[Round]:
    """A lap with each kind of fault once."""
    kinds = [kind for kind in SINGLE if kind is not Kind.RESTART]
    rng.shuffle(kinds)
    return [(fault(kind, rng.randrange(NODES), rng),) for kind in kinds]


def several(rng: random.Random) -> list[Round]:
    """A lap of rounds with two or three faults at once, each on another node."""
    rounds = []
    for _ in range(ROUNDS_TOGETHER):
        kinds = rng.sample(TOGETHER, rng.choice((2, 2, 3)))
        nodes = rng.sample(range(NODES), NODES)
        rounds.append(tuple(fault(kind, nodes.pop(), rng) for kind in kinds))
    return rounds


def in_short(rng: random.Random) -> list[Round]:
    """One of each kind as short as it can be: a smoke test."""
    return [
        (fault(kind, rng.randrange(NODES), rng)._replace(hold_s=hold_s),)
        for kind, hold_s in (
            (Kind.STUTTER, STUTTER_S),
            (Kind.KILL, 2.0),
            (Kind.HANG, HANGS_S[0]),
            (Kind.SPLIT, 1.5),
            (Kind.RESTART, 0.0),
            (Kind.JOIN, 0.5),
            (Kind.SETTING, 0.5),
        )
    ]


def fault(kind: Kind, node: int, rng: random.Random) -> Fault:
    """A fault of this kind, as long as it usually is."""
    usual_s = {Kind.STUTTER: STUTTER_S, Kind.HANG: rng.choice(HANGS_S)}
    hold_s = usual_s.get(kind, rng.uniform(1, 7))
    where = node if kind in ON_A_NODE or kind is Kind.SPLIT else -1
    setting = rng.randrange(len(SETTINGS)) if kind is Kind.SETTING else 0
    return Fault(kind, where, hold_s, setting)
