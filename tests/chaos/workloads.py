"""What one writer does: operations on records of each kind, one after the other.

A workload is a set of its own name; keys name the lap. Values are unique over the whole run, so a
value tells who wrote it.

    register   unique values over one another; the bin `n` is indexed
    list       unique values appended
    counter    read, then one more by generation check: value and generation are always equal
    expiring   written to live some seconds
    durable    written once, then deleted durably, or left
    plain      written once, then deleted plainly, or left
    still      written before the lap, only queried
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from aerospike_common.wire import ResultCode
from chaos.hands import BIN, NUMBER, Answer, Hand, Spot
from chaos.history import Operation, Value, line

REGISTER: Final = "register"
LIST: Final = "list"
COUNTER: Final = "counter"
EXPIRING: Final = "expiring"
DURABLE: Final = "durable"
PLAIN: Final = "plain"
STILL: Final = "still"
SETS: Final = (REGISTER, LIST, COUNTER, EXPIRING, DURABLE, PLAIN)
"""Those that a lap begins empty."""
INDEXED: Final = (REGISTER, STILL)

KEYS: Final = {REGISTER: 40, LIST: 10, COUNTER: 10, EXPIRING: 20}
WEIGHTS: Final = {REGISTER: 9, LIST: 4, COUNTER: 4, EXPIRING: 3, DURABLE: 3, PLAIN: 2}
STILL_RECORDS: Final = 200
LIVES_S: Final = (2, 3, 5)
NUMBERS: Final = 1000


class Lane:
    """One writer. `note` is given each operation as a line."""

    def __init__(
        self,
        name: str,
        number: int,
        lap: int,
        hand: Hand,
        namespaces: tuple[str, ...],
        rng: random.Random,
        note: Callable[[str], object],
    ) -> None:
        """`number`: no other lane of the run's lap has it."""
        self._name = name
        self._lap = lap
        self._hand = hand
        self._namespaces = namespaces
        self._rng = rng
        self._note = note
        self._next = (lap * 1000 + number) * 1_000_000
        self._mine: list[_Single] = []
        self._acts = {
            REGISTER: self._register,
            LIST: self._list,
            COUNTER: self._counter,
            EXPIRING: self._expiring,
            DURABLE: self._single,
            PLAIN: self._single,
        }

    def step(self) -> None:
        """One operation, or two that belong together."""
        kind = self._rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        namespace = self._rng.choice(self._namespaces)
        key = f"{self._lap}-{self._rng.randrange(KEYS.get(kind, 1))}"
        self._acts[kind](Spot(namespace, kind, key))

    def ask_for_all(self) -> None:
        """Query all records that stand still."""
        spot = Spot(self._rng.choice(self._namespaces), STILL, str(self._lap))
        by_index = self._rng.random() < 0.5
        act = "by index" if by_index else "query"
        self._do(
            spot, act, None, lambda: self._hand.numbers(spot.namespace, STILL, by_index=by_index)
        )

    def _unique(self) -> int:
        self._next += 1
        return self._next

    def _do(
        self, spot: Spot, act: str, value: Value, ask: Callable[[], Answer], life_s: int = 0
    ) -> Answer:
        start = time.time()
        answer = ask()
        end = time.time()
        what = answer.value if value is None else value
        operation = Operation(
            *(self._name, *spot, act, what, start, end),
            *(int(answer.code), answer.in_doubt, answer.generation, life_s),
        )
        self._note(line(operation))
        return answer

    def _read(self, spot: Spot) -> Answer:
        return self._do(spot, "read", None, lambda: self._hand.get(spot))

    def _write(self, spot: Spot, value: int, ask: Callable[[], Answer], life_s: int = 0) -> Answer:
        return self._do(spot, "write", value, ask, life_s)

    def _register(self, spot: Spot) -> None:
        if self._rng.random() < 0.4:
            self._read(spot)
            return
        value = self._unique()
        bins = {BIN: value, NUMBER: value % NUMBERS}
        self._write(spot, value, lambda: self._hand.put(spot, bins))

    def _list(self, spot: Spot) -> None:
        if self._rng.random() < 0.2:
            self._read(spot)
            return
        value = self._unique()
        self._write(spot, value, lambda: self._hand.append(spot, value))

    def _counter(self, spot: Spot) -> None:
        was = self._read(spot)
        if was.code not in (ResultCode.OK, ResultCode.NOT_FOUND):
            return
        count = was.value or 0
        self._write(
            spot,
            count + 1,
            lambda: self._hand.put(spot, {BIN: count + 1}, generation=was.generation),
        )

    def _expiring(self, spot: Spot) -> None:
        if self._rng.random() < 0.5:
            self._read(spot)
            return
        value, life_s = self._unique(), self._rng.choice(LIVES_S)
        self._write(spot, value, lambda: self._hand.put(spot, {BIN: value}, ttl=life_s), life_s)

    def _single(self, spot: Spot) -> None:
        """Begin a record, or go on with one: delete it, then look whether it is gone."""
        if self._mine and self._rng.random() < 0.6:
            single = self._mine.pop(self._rng.randrange(len(self._mine)))
            self._go_on(single)
            return
        value = self._unique()
        spot = spot._replace(key=f"{self._lap}-{value}")
        done = self._write(spot, value, lambda: self._hand.put(spot, {BIN: value}))
        if done.code == ResultCode.OK:
            self._mine.append(_Single(spot, False))

    def _go_on(self, single: _Single) -> None:
        spot = single.spot
        if single.deleted or self._rng.random() < 0.3:
            self._read(spot)
            return
        durable = spot.set_name == DURABLE
        self._do(spot, "delete", None, lambda: self._hand.remove(spot, durable=durable))
        self._mine.append(_Single(spot, True))


class _Single(NamedTuple):
    """A record that is written once."""

    spot: Spot
    deleted: bool
