"""Queries: reading many records by an index, or changing them in the background.

answer(node, connection, namespace, message)   what a message without digest asks for
QueryManager                                   the queries of a node, running and done
"""

from asd.query.manager import QueryManager
from asd.query.start import answer

__all__ = ["QueryManager", "answer"]
