"""Calls: the operations on collections, blobs and sketches, inside an expression.

    [CALL, type of the result, system, [code, argument, ...], the value]

The arguments are those of the same operation in an operate command, except that each may be an
expression. What a modifying call gives is the value as the operation leaves it; the record stays as
it is. An operation that fails makes the call unknown.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from aerospike_client.expressions.codes import MODIFY_LOCAL, Code, System
from aerospike_client.expressions.expression import E, Expression, argument, made
from aerospike_client.operations import context as contexts
from aerospike_client.operations.codes import IN_CONTEXT

C = TypeVar("C", bound=Expression)


class Receiver(Generic[C]):
    """What calls work on: a value, or what lies inside of it where a context leads.

    `C` is the type of the whole value, which is what modifying calls give.
    """

    __slots__ = ("context", "subject", "system")

    def __init__(self, system: System, subject: C, context: contexts.Context = ()) -> None:
        self.system = system
        self.subject: C = subject
        self.context = context

    def read(self, result: type[E], code: int, *arguments: object) -> E:
        """A call that gives what the operation does."""
        return self._call(result, self.system, code, arguments)

    def modify(self, code: int, *arguments: object) -> C:
        """A call that gives the whole value as the operation leaves it."""
        return self._call(type(self.subject), self.system | MODIFY_LOCAL, code, arguments)

    def _call(self, result: type[E], system: int, code: int, arguments: tuple[object, ...]) -> E:
        op_list: list[Any] = [int(code), *map(argument, arguments)]
        if self.context:
            op_list = [IN_CONTEXT, contexts.encode(self.context), op_list]
        tree = [int(Code.CALL), int(result.TYPE), int(system), op_list, self.subject.tree]
        return made(result, tree, (self.subject, *arguments))
