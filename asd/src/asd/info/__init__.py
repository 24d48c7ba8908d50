"""Info: the text commands by which clients and tools ask a node about itself.

Each family of commands is a module with a table `COMMANDS`, name to handler. A handler gets a
`Request` and returns the value, or raises `OperationError`, which becomes `ERROR:<code>:<message>`.
"""

from asd.info.commands import (
    COMMANDS,
    MAX_REQUEST,
    answers,
    respond,
    respond_when_done,
    when_done,
)
from asd.info.source import InfoConnection, InfoConnections, InfoNode

__all__ = [
    "COMMANDS",
    "MAX_REQUEST",
    "InfoConnection",
    "InfoConnections",
    "InfoNode",
    "answers",
    "respond",
    "respond_when_done",
    "when_done",
]
