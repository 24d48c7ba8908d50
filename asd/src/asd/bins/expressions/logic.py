"""Three-valued logic, choice and variables.

`and` and `or` are decided by one operand whatever is unknown beside it; everything else that meets
an unknown operand it needs is unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from asd.bins.effort import HEAVY
from asd.bins.expressions.record import RecordView
from asd.bins.expressions.values import UNKNOWN, UNKNOWN_BOOL, Code, ExpType, Frame, Run

if TYPE_CHECKING:
    from asd.bins.expressions.compiler import Compiler


def conjunction(*operands: Code) -> Run:
    """and: false if any is false, else unknown if any is unknown, else true."""
    return _decided_by(False, operands)


def disjunction(*operands: Code) -> Run:
    """or: true if any is true, else unknown if any is unknown, else false."""
    return _decided_by(True, operands)


def _decided_by(decisive: bool, operands: tuple[Code, ...]) -> Run:
    runs = tuple(operand.run for operand in operands)
    indecisive = not decisive
    if len(runs) == 2:
        return _decided_by_either(decisive, *runs)

    def run(record: RecordView, frame: Frame) -> Any:
        result: Any = indecisive
        for operand in runs:
            value = operand(record, frame)
            if value is decisive:
                return decisive
            if value is UNKNOWN:
                result = UNKNOWN
        return result

    return run


def _decided_by_either(decisive: bool, left: Run, right: Run) -> Run:
    """The common case of two operands, without a loop."""

    def run(record: RecordView, frame: Frame) -> Any:
        a = left(record, frame)
        if a is decisive:
            return decisive
        b = right(record, frame)
        return b if b is decisive or a is not UNKNOWN else UNKNOWN

    return run


def negation(operand: Code) -> Run:
    """not: unknown stays unknown."""
    get = operand.run

    def run(record: RecordView, frame: Frame) -> Any:
        value = get(record, frame)
        return value if value is UNKNOWN else not value

    return run


def exclusive(*operands: Code) -> Run:
    """True when exactly one operand is true; unknown at the first unknown before two trues."""
    runs = tuple(operand.run for operand in operands)

    def run(record: RecordView, frame: Frame) -> Any:
        found = False
        for operand in runs:
            value = operand(record, frame)
            if value is UNKNOWN:
                return UNKNOWN
            if value:
                if found:
                    return False
                found = True
        return found

    return run


# -- cond ---------------------------------------------------------------------------------------


def compile_cond(compiler: Compiler, arguments: list[Any]) -> Code:
    """[condition, value, ..., default]: the value behind the first true condition."""
    if len(arguments) < 3 or len(arguments) % 2 == 0:
        raise compiler.error("cond takes pairs and a default")
    conditions = compiler.compile_all(arguments[:-1:2])
    if any(condition.type is not ExpType.BOOL for condition in conditions):
        raise compiler.error("a condition is not a bool")
    trees = [*arguments[1:-1:2], arguments[-1]]
    *values, default = [compiler.compile(tree) for tree in trees]
    type_ = _common_type(compiler, [*values, default])
    cases = [(c.run, v.run) for c, v in zip(conditions, values, strict=True)]
    return Code(type_, _choice(cases, default.run))


def _common_type(compiler: Compiler, codes: list[Code]) -> ExpType:
    """The type of all values of a cond.

    The bare unknown stands beside values of any type. The order to remove is of a type of its own:
    it cannot be one branch of a cond whose others have values.
    """
    typed = {code.type for code in codes if code is not UNKNOWN_BOOL}
    if len(typed) > 1:
        raise compiler.error("the values of cond differ in type")
    return typed.pop() if typed else codes[0].type


def _choice(cases: list[tuple[Run, Run]], default: Run) -> Run:
    def run(record: RecordView, frame: Frame) -> Any:
        for condition, value in cases:
            decision = condition(record, frame)
            if decision is UNKNOWN:
                return UNKNOWN
            if decision:
                return value(record, frame)
        return default(record, frame)

    return run


_SIZED: Final = frozenset({bytes, list, dict})

# -- variables ----------------------------------------------------------------------------------

_NAME_START: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_NAME: Final = _NAME_START | frozenset("0123456789")


def compile_let(compiler: Compiler, arguments: list[Any]) -> Code:
    """[name, value, ..., body]: the body with names bound; each value sees the names before it."""
    if len(arguments) < 3 or len(arguments) % 2 == 0:
        raise compiler.error("let takes pairs and a body")
    outer = compiler.variables
    compiler.variables = dict(outer)
    bindings = []
    for name, tree in zip(arguments[:-1:2], arguments[1:-1:2], strict=True):
        if type(name) is not str or not name[:1] or name[0] not in _NAME_START:
            raise compiler.error("not a variable name")
        if not _NAME.issuperset(name) or name in compiler.variables:
            raise compiler.error(f"variable {name!r:.40} is misspelt or bound twice")
        # Taken, but not bound yet: no let inside the value may use the name for its own.
        compiler.variables[name] = None
        code = compiler.compile(tree)
        slot = compiler.new_slot()
        compiler.variables[name] = (slot, code.type)
        bindings.append((slot, code.run))
    body = compiler.compile(arguments[-1])
    compiler.variables = outer
    if compiler.size_slot is None:
        compiler.size_slot = compiler.new_slot()
    return Code(body.type, _bound(bindings, body.run, compiler.size_slot))


BOUND_MAX: Final = 64 << 20
"""Bytes of all the values that variables hold, a list's element counted as eight."""


def _bound(bindings: list[tuple[int, Run]], body: Run, size_slot: int) -> Run:
    def run(record: RecordView, frame: Frame) -> Any:
        for slot, get in bindings:
            frame[slot] = value = get(record, frame)
            if type(value) in _SIZED and len(value) > HEAVY:
                held = (frame[size_slot] or 0) + len(value) * (1 if type(value) is bytes else 8)
                if held > BOUND_MAX:
                    return UNKNOWN
                frame[size_slot] = held
        return body(record, frame)

    return run


def compile_var(compiler: Compiler, arguments: list[Any]) -> Code:
    """[name]: what an enclosing let bound to it."""
    if len(arguments) != 1 or type(arguments[0]) is not str:
        raise compiler.error("var takes a name")
    binding = compiler.variables.get(arguments[0])
    if binding is None:
        raise compiler.error(f"variable {arguments[0]!r:.40} is not bound here")
    slot, type_ = binding
    return Code(type_, lambda record, frame: frame[slot])


LOOP_SLOTS: Final = 3
"""Slots of a path expression's frame taken by the element at hand: key, value, index."""


def compile_loop_variable(compiler: Compiler, arguments: list[Any]) -> Code:
    """[type, id]: key (0), value (1) or index (2) of the element a path expression stands on."""
    if len(arguments) != 2 or type(arguments[1]) is not int:
        raise compiler.error("a loop variable has a type and a number")
    type_ = compiler.wire_type(arguments[0])
    slot = arguments[1]
    if not 0 <= slot < LOOP_SLOTS or (slot == 2 and type_ is not ExpType.INT):
        raise compiler.error("no such loop variable")
    return compiler.loop_variable(type_, slot)
