"""Paxos: what was asked for is not forgotten when a round comes to nothing."""

from __future__ import annotations

from cluster.membership.heartbeat import Identity, Standing
from cluster.membership.paxos import Paxos
from cluster.membership.paxos_events import PaxosConfig, PaxosState
from cluster.messages import Accept, Accepted, Commit, Committed, Prepare, Promise, Reject
from cluster.outputs import Output, Send

CONFIG = PaxosConfig(interval_ms=10)


class Neighbours:
    """Nodes 1 and 2 hear each other, and show whatever node 2 shows."""

    def __init__(self) -> None:
        self.shown = Standing()

    def graph(self) -> dict[int, frozenset[int]]:
        return {1: frozenset({1, 2}), 2: frozenset({1, 2})}

    def standing(self, node: int) -> Standing:
        return self.shown

    def hears_one_way(self) -> bool:
        return False

    def awaits_answer(self, now: int) -> bool:
        return False


def messages(outputs: list[Output]) -> list[object]:
    return [output.message for output in outputs if isinstance(output, Send)]


def principal() -> tuple[Paxos, Neighbours]:
    """Node 2, principal of a cluster with node 1."""
    around = Neighbours()
    core = Paxos(Identity(2, 7), CONFIG, around)
    core.start(0)
    core.arrived(1, 7, 0)
    (prepare,) = messages(core.tick(60))
    assert isinstance(prepare, Prepare)
    go_along(core, around, prepare, 60)
    return core, around


def go_along(core: Paxos, around: Neighbours, prepare: Prepare, now: int) -> None:
    """Node 1 answers all of a round."""
    (accept,) = messages(core.receive(1, Promise(prepare.sequence, 7), now))
    assert isinstance(accept, Accept)
    assert Commit(prepare.sequence) in messages(core.receive(1, Accepted(prepare.sequence), now))
    core.receive(1, Committed(prepare.sequence), now)
    assert core.view is not None
    assert core.state is PaxosState.IDLE
    around.shown = Standing(2, core.view.cluster_key)
    core._check()


def test_a_cluster_at_rest_runs_no_rounds() -> None:
    core, _ = principal()
    assert [sent for now in range(100, 1000, 10) for sent in messages(core.tick(now))] == []


def test_a_recluster_is_done_after_a_round_that_nobody_answered() -> None:
    core, around = principal()
    core.recluster(100)
    (first,) = messages(core.tick(100))
    assert isinstance(first, Prepare)
    later = [sent for now in range(110, 600, 10) for sent in messages(core.tick(now))]
    again = [sent for sent in later if isinstance(sent, Prepare) and sent.sequence > first.sequence]
    assert again, "the round was given up, and what it was for is still wanted"
    go_along(core, around, again[-1], 600)
    assert [sent for now in range(610, 1500, 10) for sent in messages(core.tick(now))] == []


def test_a_recluster_is_done_after_a_refusal() -> None:
    core, around = principal()
    core.recluster(100)
    (first,) = messages(core.tick(100))
    assert isinstance(first, Prepare)
    core.receive(1, Reject(first.sequence, 20), 100)
    later = [sent for now in range(110, 200, 10) for sent in messages(core.tick(now))]
    again = next(sent for sent in later if isinstance(sent, Prepare))
    assert again.sequence == 21
    go_along(core, around, again, 200)


def test_a_recluster_amid_a_round_has_a_round_of_its_own() -> None:
    core, around = principal()
    core.recluster(100)
    (first,) = messages(core.tick(100))
    assert isinstance(first, Prepare)
    core.recluster(101)
    core.tick(101)
    go_along(core, around, first, 102)
    later = [sent for now in range(110, 200, 10) for sent in messages(core.tick(now))]
    again = next(sent for sent in later if isinstance(sent, Prepare))
    assert again.sequence > first.sequence
    go_along(core, around, again, 200)
