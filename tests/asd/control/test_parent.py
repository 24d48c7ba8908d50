"""What a node's parent process asks through the pipe, whoever else is let in."""

from __future__ import annotations

from asd import Server
from asd.control.parent import MOST_BYTES, Parent
from asd.thread_host import ThreadHost


def test_questions_are_answered_with_their_numbers() -> None:
    said: list[bytes] = []
    with Server(in_thread=True, security=True) as server:
        host = server._running()
        assert isinstance(host, ThreadHost)
        parent = Parent(host.node, said.append)
        for data in (b"1 status\n2 name", b"spaces\nno question\n3 sta", b"tus"):
            host.run(lambda data=data: parent.feed(data))
        assert said == [b"asd info 1 ok\n", b"asd info 2 test\n"]
        host.run(lambda: parent.feed(b"x" * (MOST_BYTES + 1)))
        host.run(lambda: parent.feed(b"\n4 set-config:context=service;cluster-name=blue\n"))
        assert said[2:] == [b"asd info 4 ok\n"]
        assert host.node.config.service.cluster_name == "blue"
