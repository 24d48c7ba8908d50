"""The messages by which a client's request is passed on: see `forwards`."""

from __future__ import annotations

from typing import ClassVar

from attrs import define

from cluster.wire import Message


@define(unsafe_hash=True)
class Forward(Message):
    """Do this request of a client of mine, as if it had come to you. `number` counts in this life
    of mine; every one below `oldest` is over; `once`: it must not be done twice."""

    TYPE: ClassVar[int] = 80
    life: int
    cluster_key: int
    number: int
    oldest: int
    once: bool
    in_batch: bool
    body: bytes


@define(unsafe_hash=True)
class Forwarded(Message):
    """The reply (none: nothing was done, ask by a `ProxyRequest`); `in_doubt`: as there."""

    TYPE: ClassVar[int] = 81
    number: int
    in_doubt: bool
    body: bytes
