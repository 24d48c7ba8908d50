"""Every row of the tables of partitions and replication is taken, and their promises hold."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from cluster.messages import (
    DuplicateRead,
    EmigrateBatch,
    EmigrateDone,
    EmigrateStart,
    EmigrateSummary,
    ExchangeSeen,
    ExchangeVersions,
    ImmigrateAck,
    ImmigrateDone,
    ImmigrateReady,
    ImmigrateWants,
)
from cluster.outputs import (
    CarriedOut,
    Close,
    Closed,
    ClusterChanged,
    Load,
    Loaded,
    Send,
    SetVersions,
    Survey,
    Surveyed,
    VersionsSet,
)
from cluster.partitions import exchange as exchange_module
from cluster.partitions.config import MigrateConfig
from cluster.partitions.emigration import Due as DueToEmigrate
from cluster.partitions.emigration import Emigration, EmigrationState
from cluster.partitions.exchange import Exchange
from cluster.partitions.settlement import Settlement
from cluster.records import ConflictPolicy
from cluster.replication import proxy as proxy_module
from cluster.replication.proxy import AnswerCame, Busy, Elsewhere, Expired, Proxy, ProxyState
from cluster.replication.write import (
    Begin,
    BrokenOff,
    DuplicateCame,
    NoAnswer,
    NobodyKnows,
    RecordWrite,
    ReplicasHaveIt,
    WriteState,
)
from cluster.simulation import SimulatedStore, simulate
from cluster.state_machine import Row, markdown, words

MACHINES = (Exchange, Emigration, Settlement, RecordWrite, Proxy)
WALKS = 60


def walk_exchange(seed: int, rows: Counter[Row]) -> None:
    """Whatever comes in whatever order: known is when all have told, over when all have seen."""
    random = Random(seed)
    exchange = Exchange(1, lambda row: rows.update([row]))
    exchange.sender = 3
    exchange.fire(ExchangeVersions(1, ()), 0)
    key = 0
    for _ in range(100):
        if random.random() < 0.1 or not key:
            key += 1
            members = tuple((node, 1, 0, False) for node in (3, 2, 1)[random.randrange(2) :])
            exchange.begin(ClusterChanged(key, key, members[0][0], members), (), 0)
        theirs = key + (random.random() < 0.2)  # who commits first tells first
        told = random.choice(
            (ExchangeVersions(theirs, ()), ExchangeSeen(theirs), exchange_module.Due())
        )
        exchange.sender = random.choice(members[:-1])[0]
        exchange.fire(told, 0)
        exchange._check()
        assert not exchange.is_over or exchange.is_known


def walk_write(seed: int, rows: Counter[Row]) -> None:
    """A write is carried out once all duplicates are known, and done when the replicas have it."""
    random = Random(seed)
    newest = (b"dd", 41, 1, 0, "", 0, b"")
    has_replicas = random.random() < 0.7
    write = RecordWrite(
        *((1, "ns", b"dd"), b"body", ("transactions", 1), ConflictPolicy.GENERATION),
        *(lambda rows: 5 * has_replicas, lambda row: rows.update([row])),
    )
    write.duplicates = (5, 6)[: random.randrange(3)]
    if random.random() < 0.1:
        write.fire(BrokenOff(), 0)
    write.fire(Begin(), 0)
    answered: set[int] = set()
    while write.state is WriteState.RESOLVING and random.random() < 0.95:
        request = write.outputs.pop(random.randrange(len(write.outputs)))
        assert isinstance(request.message, DuplicateRead)
        silent = random.random() < 0.3
        answered |= set() if silent else {request.to}
        came = NoAnswer(request.to) if silent else DuplicateCame(request.to, (newest,))
        write.fire(came, 0)
    if write.state is WriteState.CARRYING and random.random() < 0.9:
        assert answered == set(write.duplicates)
        (asked,) = write.outputs
        assert asked.winner == (newest if write.duplicates else None)
        made = (newest,) if random.random() < 0.8 else ()
        write.fire(CarriedOut(asked.token, made, b"done"), 0)
        assert write.answer == b"done"
        assert (write.state is WriteState.REPLICATING) == bool(made and has_replicas)
    if write.state is WriteState.REPLICATING:
        write.fire(random.choice((ReplicasHaveIt(), NobodyKnows())), 0)
        assert write.in_doubt == (write.state is WriteState.BROKEN)
    elif write.state is not WriteState.DONE:
        write.fire(BrokenOff(), 0)
        assert write.state is WriteState.BROKEN
        assert not write.in_doubt


def walk_proxy(seed: int, rows: Counter[Row]) -> None:
    """A proxy fails in doubt only when it has asked."""
    random = Random(seed)
    servers = [None, 4]
    proxy = Proxy(
        "ns", b"d", b"x", 0, lambda: (random.choice(servers), 1), lambda r: rows.update([r])
    )
    answers = (AnswerCame(b"y"), Elsewhere(), Busy(), proxy_module.NoAnswer(), Expired())
    for _ in range(20):
        asking = proxy.state is ProxyState.ASKING
        event = random.choice((proxy_module.Due(), random.choice(answers)))
        proxy._server = lambda: (4, 1)
        proxy.fire(event, 0)
        if proxy.state is ProxyState.FAILED:
            assert proxy.in_doubt <= (asking or proxy.in_doubt)
            break
    assert (proxy.answer is not None) == (proxy.state is ProxyState.DONE)


def walk_emigration(seed: int, rows: Counter[Row]) -> None:
    """What the target wants of what there was is there in the end, whatever is lost on the way."""
    random = Random(seed)
    mine = SimulatedStore(ConflictPolicy.GENERATION)
    other = SimulatedStore(ConflictPolicy.GENERATION)
    for number in range(random.randrange(9)):
        mine.put((b"\x00%d" % number, 2, 1, 0, "s", 0, b"x" * number))
        if random.random() < 0.5:
            generation = random.choice((1, 2))
            other.put((b"\x00%d" % number, generation, 1, 0, "s", 0, b"x" * number))
    before = dict(other.live)
    config = MigrateConfig(
        batch_records=2, batch_bytes=5, compare_records=3, sleep_us=random.choice((0, 2000))
    )
    place, token = (1, "ns", 0), ("partitions", 1)
    emigration = Emigration(place, 9, token, config, lambda row: rows.update([row]))
    emigration.compares = random.random() < 0.7
    emigration.hands_over = random.random() < 0.7
    emigration.stays = random.random() < 0.5
    writes = 3

    def is_written() -> bool:
        nonlocal writes
        writes -= 1
        return writes >= 0

    emigration.is_written = is_written
    emigration.disown = lambda token: emigration.outputs.append(SetVersions("ns", token, ()))
    emigration.begin(0)
    sent: set[bytes] = set()
    for now in range(600):
        outputs, emigration.outputs = emigration.outputs, []
        for output in outputs:
            if isinstance(output, Send):
                if random.random() < 0.8:
                    answer_emigration(emigration, output.message, other, sent, now)
            else:
                answer_question(emigration, output, mine, random, now)
        emigration.fire(DueToEmigrate(), now)
        emigration._check()
    assert emigration.state is EmigrationState.DONE
    assert other.live == mine.live
    if emigration.compares:
        assert sent == {d for d, row in mine.live.items() if before.get(d) != row}


def answer_emigration(emigration, message, other, sent, now) -> None:
    match message:
        case EmigrateStart():
            emigration.fire(ImmigrateReady(1, "ns", 0), now)
        case EmigrateSummary(_, _, _, batch, summaries):
            places = other.compare(summaries, True)
            emigration.fire(ImmigrateWants(1, "ns", 0, batch, places), now)
        case EmigrateBatch(_, _, _, batch, rows_of):
            sent |= {row[0] for row in rows_of}
            other.apply(rows_of, True)
            for late in (batch - 1, batch):
                emigration.fire(ImmigrateAck(1, "ns", 0, late), now)
        case EmigrateDone():
            emigration.fire(ImmigrateDone(1, "ns", 0), now)


def answer_question(emigration, asked, mine, random, now) -> None:
    match asked:
        case Survey(_, token, partition):
            found = mine.survey(partition)
            gone = (b"\x00gone", 1, 1, 0, 0, 0)
            emigration.fire(
                Surveyed(token, (*found, gone)[: len(found) + random.randrange(2)]), now
            )
        case Load(_, token, digests):
            emigration.fire(Loaded(token, mine.load(digests)), now)
        case Close(_, _, token):
            emigration.fire(Closed(token), now)
        case SetVersions(_, token, _):
            assert not emigration.stays
            emigration.fire(VersionsSet(token), now)


MACHINE_WALKS = (walk_exchange, walk_write, walk_proxy, walk_emigration)


@pytest.mark.parametrize("walk", MACHINE_WALKS)
def test_random_walks(walk):
    for seed in range(WALKS):
        walk(seed, Counter())


def test_every_row_of_every_table_is_taken():
    rows: Counter[Row] = Counter()
    for seed in range(WALKS):
        for walk in MACHINE_WALKS:
            walk(seed, rows)
    missing: list[str] = []
    for seed in range(60):
        rows += simulate(seed, 3, 0.05).rows
        missing = [str(row) for each in MACHINES for row in each.TABLE if row not in rows]
        if not missing:
            return
    pytest.fail("rows never taken:\n" + "\n".join(missing))


def test_tables_read_as_text():
    text = markdown(Proxy.TABLE)
    assert "| WAITING | Due | knows a server | ASKING | ask |" in text
    assert words("_is_newer") == "is newer"
    assert str(Proxy.TABLE[0]) == "proxy: WAITING + Due when knows a server"
