"""The service port: bytes to frames, frames to replies, one write for all of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, cast

from aerospike_common.wire.codes import MessageType, ResultCode
from aerospike_common.wire.frame import MAX_BODY, frame
from aerospike_common.wire.message import reply_frame
from asd.fastpath.cache import MESSAGE, head_size
from asd.fastpath.contract import GENERAL_WAY
from asd.info import respond_when_done
from asd.security.rights import UNRESTRICTED, Rights
from asd.security.session import Session, without_security
from asd.service.headers import acceptable
from asd.service.held_replies import Held, HeldReplies
from asd.service.info_slices import answer_in_slices, framed
from asd.service.oversized import BIG_FRAME, LOOK, BigFrame, refuse
from asd.service.passage import Passage, pass_on
from asd.service.struck import info_struck
from asd.service.tsvc import Job
from asd.service.way import answer_compressed, answer_message
from asd.space.commitment import Commitment

if TYPE_CHECKING:
    from asd.service.node import ServiceNode

log = logging.getLogger("asd.service")

MAX_UNSENT: Final = 64
"""Replies gathered before they are handed to the socket."""

BIG_REPLY: Final = 1 << 16
"""Bytes of a reply behind which no other is gathered: what is gathered is bounded in bytes, too."""

SLICE_NS: Final = 5_000_000
"""Time after which the frames that came in one piece let others have their turn."""

FEW_COMMANDS: Final = 4
"""Info commands of one request that are answered at once."""

MAX_STRANGERS_BODY: Final = 64 << 10
"""Longest body of a connection on which nobody has logged in, in bytes."""


class Connection:
    """One client connection: an `asyncio.Protocol` by its methods, so that it can be compiled.

    Frames are answered in order. While a job (a stream of replies) runs, or while the client does
    not read what it is sent, the bytes that came stay here and reading stops.
    """

    __slots__ = (
        "_awaited",
        "_big",
        "_chunks",
        "_closing",
        "_head_size",
        "_held",
        "_job",
        "_max_body",
        "_missing",
        "_node",
        "_path_of",
        "_paths",
        "_paused",
        "_session",
        "_transport",
        "_turns",
        "_unwritable",
        "_write",
        *("address", "certificate_user", "kept_ns", "last_used_ns", "local_host"),
        *("paths", "peer", "rights", "user_agent"),
    )

    def __init__(self, node: ServiceNode, certificate_user: str = "") -> None:
        """`certificate_user` is whom the client's certificate names, where it has shown one."""
        self._node = node
        self._turns = node.turns
        self._chunks: list[bytes] = []
        self._head_size = 0
        self._missing = 0
        self._job: asyncio.Task[None] | Passage | None = None
        self._unwritable: asyncio.Event | None = None
        self._paused = False
        self._big: BigFrame | None = None
        self._closing = False
        self._awaited: Commitment | None = None
        self._held: HeldReplies
        self._transport: asyncio.Transport
        self.last_used_ns = 0
        self.kept_ns = 0
        self.peer = self.local_host = "?"
        self.address = ""
        self.certificate_user = certificate_user
        self.user_agent: str | None = None
        self._session = None if node.security is None else Session(node.security, self)
        self.enter(UNRESTRICTED if self._session is None else self._session.rights)

    def enter(self, rights: Rights) -> None:
        """From now on this may be done on the connection."""
        self.rights = rights
        self.paths = self._node.paths.of(rights)
        self._paths = self.paths.table
        self._path_of = self.paths.table.get
        self._max_body = MAX_BODY if rights.authenticated else MAX_STRANGERS_BODY

    # ------------------------------------------------------------ asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected; one too many is turned away."""
        # uvloop's transports are not subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._write: Callable[[bytes], None] = self._transport.write
        self._held = HeldReplies(self._transport.write)
        peer, local = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self.peer = f"{peer[0]}:{peer[1]}" if peer else "?"
        self.address = peer[0] if peer else ""
        self.local_host = local[0] if local else "?"
        self.last_used_ns = self._node.clock.monotonic_ns()
        if not self._node.connections.add(self):
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone, and with it whatever was running for it."""
        if self._job is not None:
            self._job.cancel()
        self._chunks.clear()
        self._big = None
        self._held.clear()
        if self._session is not None:
            self._session.end()
        self._node.connections.discard(self)

    def eof_received(self) -> None:
        """The client sends no more: the transport closes."""

    def pause_writing(self) -> None:
        """The client reads too slowly: take no more requests from it."""
        self._paused = True
        self._stall()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._paused = False
        if not self._held.full:
            self._go_on()

    def _stall(self) -> None:
        """Take no more requests for now."""
        if self._unwritable is None:
            self._unwritable = asyncio.Event()
            self._transport.pause_reading()

    def _go_on(self) -> None:
        """Take requests again."""
        waiting, self._unwritable = self._unwritable, None
        if waiting is not None:
            waiting.set()
        if self._job is None:
            self._continue()

    def data_received(self, data: bytes) -> None:
        """Answer all whole frames; keep the rest."""
        turns = self._turns
        self.last_used_ns = turns.started_ns or turns.begin()
        if self._big is not None:
            data = self._grown(self._big, data)
            if not data:
                return
        elif self._chunks or self._job is not None:
            self._chunks.append(data)
            self._missing -= len(data)
            if self._missing > 0 or self._job is not None or self._unwritable is not None:
                if self._job is not None:  # it may not have stopped reading
                    self._transport.pause_reading()
                return
            data = b"".join(self._chunks)
            self._chunks.clear()
        # Most of the time what comes is one request, of a kind that has come before.
        # Slots are read into locals before they are called: CPython calls those faster.
        path_of, head_size = self._path_of, self._head_size
        found = path_of(data[:head_size])
        if found is not None:
            path, frame_size, latency, waits = found
            if frame_size == len(data):
                try:
                    reply = path(data, head_size)
                except GENERAL_WAY:
                    reply = None
                except Exception:  # our own bug, and it may have had its effect
                    reply = self._failed()
                if reply is not None:
                    if waits is not None and waits.turn is not None:
                        waits.turn.count(latency)
                        self._hold(reply, waits.turn)
                        return
                    write = self._write
                    write(reply)
                    if not latency.pending:  # as `Turns.count`, without the call
                        turns.answered.append(latency)
                    latency.pending += 1
                    return
        if not self._passes_on(data, 0, len(data), data[:head_size]):
            self._answer(data)

    # ---------------------------------------------------------------------- frames

    def _answer(self, data: bytes) -> None:
        """Answer the whole frames in `data` in order; keep what is left."""
        replies: list[bytes] = []
        offset, size = 0, len(data)
        while offset < size:
            offset = self._answer_fast(data, offset, replies)
            if offset == size:
                break
            if len(replies) == MAX_UNSENT or (replies and len(replies[-1]) > BIG_REPLY):
                self._send(replies)
                replies.clear()
                if self._unwritable is not None or self._slice_over(offset < size):
                    break
                continue
            if self._held.full:
                break
            frame_size = self._whole_frame(data, offset)
            if not frame_size:
                break
            reply = self._frame(data, offset, frame_size)
            offset += frame_size
            if isinstance(reply, Held):
                self._send(replies)
                replies.clear()
                self._hold(*reply)
            elif reply:
                replies.append(reply)
                if self._slice_over(offset < size):
                    break
            elif self._job is not None:
                break
        self._send(replies)
        if offset < size and not self._transport.is_closing():
            self._keep(data[offset:])

    def _slice_over(self, more: bool) -> bool:
        """Is it the turn of others? More frames of this client are taken up in the next turn."""
        if not more or self._node.clock.monotonic_ns() - self.last_used_ns < SLICE_NS:
            return False
        self._transport.pause_reading()
        self._turns.at_end(self._next_slice)
        return True

    def _next_slice(self) -> None:
        if self._job is None and self._unwritable is None:
            self._continue()

    def _answer_fast(self, data: bytes, offset: int, replies: list[bytes]) -> int:
        """Answer frames up to the first that no path answers, or MAX_UNSENT replies; the offset."""
        path_of, answered = self._path_of, self._turns.answered
        head_size, size = self._head_size, len(data)
        for _ in range(MAX_UNSENT - len(replies)):
            digest = offset + head_size
            found = path_of(data[offset:digest])
            if found is None:
                break
            path, frame_size, latency, waits = found
            end = offset + frame_size
            if end > size:
                break
            try:
                reply = path(data, digest)
            except GENERAL_WAY:
                break
            except Exception:  # as above
                reply = self._failed()
            if reply is None:
                break
            offset = end
            if waits is not None and waits.turn is not None:
                if replies:
                    self._send(replies)
                    replies.clear()
                waits.turn.count(latency)
                if self._hold(reply, waits.turn):
                    break
                continue
            if not latency.pending:
                answered.append(latency)
            latency.pending += 1
            replies.append(reply)
            if len(reply) > BIG_REPLY:
                break
        return offset

    def _whole_frame(self, data: bytes, offset: int) -> int:
        """The size of the frame at `offset`; 0 when it is not all there, or not to be answered."""
        if len(data) - offset < 8:
            return 0
        size = 8 + int.from_bytes(data[offset + 2 : offset + 8], "big")
        plain = data[offset : offset + 2] == MESSAGE and size <= self._max_body
        if not plain and not acceptable(self.peer, data[offset : offset + 8], self._max_body):
            self._transport.close()
            return 0
        return size if offset + size <= len(data) else 0

    def _frame(self, data: bytes, offset: int, size: int) -> bytes | Held:
        """Answer a whole frame the general way, and learn a plan for those that begin like it."""
        kind, body = data[offset + 1], data[offset + 8 : offset + size]
        if kind != MessageType.AS_MSG:
            return self._other_frame(kind, body)
        head = data[offset : offset + head_size(data, offset)]
        if self._passes_on(data, offset, size, head):
            return b""
        reply = self._started(answer_message(self._node, self, body, head))
        if head in self._paths:
            self._head_size = len(head)
        return reply

    def _passes_on(self, data: bytes, offset: int, size: int, head: bytes) -> bool:
        """Have another node do it, if it is for one and known how."""
        kind = self.paths.elsewhere.get(head)
        if kind is None or kind.size != size:
            return False
        self._job = pass_on(self, self._node, kind, data[offset : offset + size], len(head))
        return self._job is not None

    def passed_back(self, reply: bytes) -> None:
        """What was passed on is answered; what came meanwhile is taken up when the loop turns."""
        self._job = None
        if not self._transport.is_closing():
            self._write(reply)
            if self._chunks or not self._transport.is_reading():
                asyncio.get_running_loop().call_soon(self._next_slice)

    def _failed(self) -> bytes:
        """The reply to a request that a fast path has failed with."""
        log.exception("%s: a request failed inside the server", self.peer)
        return reply_frame(ResultCode.SERVER_ERROR)

    def _hold(self, reply: bytes, commitment: Commitment) -> bool:
        """Send it, and what comes behind it, once it is released; True: take no more for now."""
        if commitment is not self._awaited:
            self._awaited = commitment
            commitment.when_released(self._release)
            self._write = self._held.add
        full = self._held.hold(reply, commitment)
        if full:
            self._stall()
        return full

    def _release(self) -> None:
        """Something that replies wait for is released."""
        if not self._held.release():
            return
        self._awaited = None
        self._write = self._transport.write
        if self._closing:
            self._transport.close()
        elif self._unwritable is not None and not self._paused:
            self._go_on()

    def _send(self, replies: list[bytes]) -> None:
        if replies:
            self._write(b"".join(replies))

    def _keep(self, rest: bytes) -> None:
        """Hold on to a frame that has not come whole, or that cannot be answered yet."""
        self._chunks.append(rest)
        self.kept_ns = self.last_used_ns
        wanted = 8 + int.from_bytes(rest[2:8], "big") if len(rest) >= 8 else 8
        self._missing = wanted - len(rest)
        if wanted > BIG_FRAME and self._missing > 0 and self._job is None:
            self._whole_frame(rest, 0)  # whose header, perhaps, nobody has looked at yet
            if self._transport.is_closing():
                self._chunks.clear()
            elif len(rest) < LOOK:
                self._missing = LOOK - len(rest)
            else:
                self._big = BigFrame(rest, self._node.namespaces)
                self._chunks.clear()

    def _grown(self, big: BigFrame, data: bytes) -> bytes:
        """More of a big frame has come; once answered: what is behind it, or comes instead."""
        big.take(data)
        if big.missing or self._job is not None or self._unwritable is not None or self._held.full:
            return b""
        self._big = None
        if big.instead is not None:
            return big.instead + big.behind
        node, kind = self._node, big.kind
        reply = refuse(node.statistics) if big.refused else self._other_frame(kind, big.body())
        if isinstance(reply, Held):
            self._hold(*reply)
        elif reply:
            self._write(reply)
        if big.behind and (self._job is not None or self._unwritable is not None):
            self._keep(big.behind)
            return b""
        return big.behind

    def _started(self, reply: bytes | Held | Job) -> bytes | Held:
        """A stream of replies is begun, and answers nothing yet."""
        return reply if isinstance(reply, bytes | Held) else self.start(reply)

    def start(self, job: Job) -> bytes:
        """Take no more requests until the job is done; nothing is answered yet."""
        self._transport.pause_reading()
        self._job = asyncio.get_running_loop().create_task(self._run(job))
        return b""

    def _other_frame(self, kind: int, body: bytes) -> bytes | Held:
        """Answer a frame of any type, of which no fast path is to be learned."""
        if kind == MessageType.AS_MSG:
            return self._started(answer_message(self._node, self, body))
        if kind == MessageType.INFO:
            self._node.statistics.info_complete += 1
            if self._node.faults.armed:
                return self.start(info_struck(self._node, self, body))
            if body.count(b"\n") > FEW_COMMANDS and self.rights.authenticated:
                return self.start(self._later(answer_in_slices(self._node, self, body)))
            said = respond_when_done(self._node, self, body)
            if isinstance(said, bytes):
                return frame(MessageType.INFO, said)
            return self.start(self._later(framed(said)))
        if kind == MessageType.ADMIN:
            return self._admin(body)
        if kind == MessageType.AS_MSG_COMPRESSED:
            return self._started(answer_compressed(self._node, self, body))
        return b""  # the real server neither answers nor closes a frame of internal XDR

    def _admin(self, body: bytes) -> bytes:
        if self._session is None:
            return without_security(community=self._node.community)
        reply = self._session.answer(body)
        return reply if isinstance(reply, bytes) else self.start(self._later(reply))

    async def _later(self, reply: Coroutine[Any, Any, bytes]) -> None:
        """Send what is slow to come."""
        await self.send(await reply)

    # ------------------------------------------------------------------------ jobs

    async def _run(self, job: Job) -> None:
        try:
            await job
        except asyncio.CancelledError:
            raise
        except Exception:  # our own bug: half a stream cannot be mended, so the connection ends
            log.exception("%s: a stream failed inside the server", self.peer)
            self._transport.abort()
        finally:
            self._job = None
        self._continue()

    def _continue(self) -> None:
        """Take up what came in the meantime."""
        if self._transport.is_closing():
            return
        self._transport.resume_reading()
        if self._chunks or self._big is not None:
            self.data_received(b"")

    async def send(self, data: bytes) -> None:
        """Write part of a stream, waiting while the client is behind."""
        self._write(data)
        if self._unwritable is not None:
            await self._unwritable.wait()

    def waits_since_ns(self) -> int | None:
        """Since when it has waited for somebody to log in; None when it need not."""
        return None if self._session is None else self._session.waits_since_ns()

    @property
    def partial_bytes(self) -> int:
        """Bytes of a frame that has not come whole, since `kept_ns`."""
        if self._big is not None:
            return self._big.size
        return sum(map(len, self._chunks)) if self._missing > 0 else 0

    @property
    def unread_bytes(self) -> int:
        """Bytes of replies that the client has not read, or that wait for their turn."""
        return self._held.size + self._transport.get_write_buffer_size()

    @property
    def busy(self) -> bool:
        """A stream of replies is under way."""
        return self._job is not None

    def close(self) -> None:
        """Close after what was answered has been sent."""
        self._closing = True
        if not self._held:
            self._transport.close()

    def abort(self) -> None:
        """Close now."""
        self._transport.abort()
