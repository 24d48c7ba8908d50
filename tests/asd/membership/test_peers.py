"""Service addresses travel between nodes: asked for, asked again, forgotten with who has gone."""

from __future__ import annotations

from asd.membership.peers import (
    AddressesAre,
    AskAddresses,
    AskStanding,
    Peers,
    StandingIs,
    codec,
)
from asd.membership.state import Addresses, PeerRow
from cluster import Channel, ClusterChanged, Delivered
from cluster.outputs import Output, Request, Respond


def view(*nodes: int) -> ClusterChanged:
    return ClusterChanged(1, 1, max(nodes), tuple((node, 1, 0, False) for node in nodes))


def test_members_are_asked_until_they_answer() -> None:
    peers = Peers(0xA1)
    asked = peers.cluster_changed(view(0xA3, 0xA2, 0xA1), 0)
    assert [each.to for each in asked if isinstance(each, Request)] == [0xA2, 0xA3]
    (again,) = peers.answered(0xA2, None, 0)
    assert isinstance(again, Request)
    assert peers.answered(0xA2, AddressesAre("h:1,h:2", ""), 0) == []
    assert peers.rows == [PeerRow("A2", Addresses(("h:1", "h:2")))]
    assert peers.generation == 1
    peers.answered(0xA2, AddressesAre("h:1,h:2", ""), 0)
    assert peers.generation == 1
    peers._check()


def test_who_has_gone_is_forgotten() -> None:
    peers = Peers(0xA1)
    peers.cluster_changed(view(0xA2, 0xA1), 0)
    peers.answered(0xA2, AddressesAre("h:1"), 0)
    peers.cluster_changed(view(0xA1), 0)
    assert (peers.rows, peers.generation) == ([], 2)
    assert peers.answered(0xA2, None, 0) == []


def test_a_node_says_where_it_is() -> None:
    peers = Peers(0xA1)
    peers.published = Addresses(("h:3000",), ("alt:3000",), ("h:4333",), (), "blue")
    came = Delivered(0xA2, AskAddresses(), 7, Channel.META)
    (reply,) = peers.receive(came, 0)
    assert isinstance(reply, Respond)
    assert reply.message == AddressesAre("h:3000", "alt:3000", "h:4333", "", "blue")
    assert codec().decode(codec().encode(reply.message)) == reply.message


def test_where_clients_that_speak_tls_go() -> None:
    peers = Peers(0xA1)
    peers.cluster_changed(view(0xA2, 0xA1), 0)
    peers.answered(0xA2, AddressesAre("h:1", "", "h:2,i:2", "j:3", "blue"), 0)
    (row,) = peers.rows
    assert row.at == Addresses(("h:1",), (), ("h:2", "i:2"), ("j:3",), "blue")


def questions(outputs: list[Output]) -> list[Request]:
    return [each for each in outputs if isinstance(each, Request)]


def test_a_cluster_is_confirmed_when_all_members_say_so() -> None:
    peers, confirmed = Peers(0xA1), []
    peers.cluster_changed(view(0xA3, 0xA2, 0xA1), 0)
    asked = questions(peers.confirm(lambda: confirmed.append(True)))
    assert [(each.to, each.message) for each in asked] == [
        (0xA2, AskStanding()),
        (0xA3, AskStanding()),
    ]
    peers.answered(asked[0].tag, StandingIs(1), 0)
    (again,) = questions(peers.answered(asked[1].tag, None, 0))
    assert confirmed == []
    peers.answered(again.tag, StandingIs(1), 0)
    assert confirmed == [True]
    peers.answered(again.tag, StandingIs(1), 0)
    assert confirmed == [True]


def test_a_cluster_that_is_over_is_not_confirmed() -> None:
    peers, confirmed = Peers(0xA1), []
    peers.cluster_changed(view(0xA2, 0xA1), 0)
    (asked,) = questions(peers.confirm(lambda: confirmed.append(True)))
    assert peers.answered(asked.tag, StandingIs(2), 0) == []
    peers.cluster_changed(ClusterChanged(2, 2, 0xA2, view(0xA2, 0xA1).members), 1)
    assert peers.answered(asked.tag, StandingIs(1), 1) == []
    assert confirmed == []


def test_a_node_says_in_which_cluster_it_is() -> None:
    peers = Peers(0xA1)
    peers.cluster_changed(view(0xA2, 0xA1), 0)
    (reply,) = peers.receive(Delivered(0xA2, AskStanding(), 7, Channel.META), 0)
    assert isinstance(reply, Respond)
    assert codec().decode(codec().encode(reply.message)) == StandingIs(1)
