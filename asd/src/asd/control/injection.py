"""Faults as commands order them: from arguments to a `Fault`, and back to what is shown of one."""

from __future__ import annotations

from typing import Any

from aerospike_common.wire.codes import ResultCode
from asd.control.arguments import Arguments, BadRequest
from asd.control.key import digest_of
from asd.faults import CONNECT, INFO, KINDS, Fault, Match, Reply
from asd.faults.ready_made import CLOCK_SKEW, READY_MADE


def fault_of(arguments: Arguments) -> Fault:
    """The fault that is ordered. Raises BadRequest."""
    name = arguments.take("fault", str)
    if name is not None:
        if name not in READY_MADE:
            names = ", ".join((*READY_MADE, CLOCK_SKEW))
            raise BadRequest(f"inject: no fault '{name}'; there are: {names}")
        arguments.add(READY_MADE[name])
    match = _match(arguments)
    fault = Fault(
        match,
        _code(arguments.take("code", object)),
        (arguments.take("delay_ms", float) or 0.0) / 1000,
        _reply(arguments.take("reply", str)),
        1 if (times := arguments.take("times", int)) is None else times,
    )
    arguments.end()
    _check(fault, name)
    return fault


def _match(arguments: Arguments) -> Match:
    kinds = _kinds(arguments.take("kind", object))
    namespace, set_name = arguments.take("namespace", str), arguments.take("set", str)
    name = arguments.take("bin", str)
    return Match(
        Match().kinds if kinds is None else kinds,
        None if namespace is None else namespace.encode(),
        None if set_name is None else set_name.encode(),
        digest_of(arguments, set_name),
        None if name is None else name.encode(),
    )


def _kinds(given: Any) -> frozenset[str] | None:
    if given is None:
        return None
    kinds = [given] if isinstance(given, str) else given
    if not isinstance(kinds, list) or not kinds or not all(kind in KINDS for kind in kinds):
        raise BadRequest(f"inject: 'kind' is to be one, or a list, of {', '.join(KINDS)}")
    return frozenset(kinds)


def _code(given: Any) -> ResultCode | None:
    """A result code by its name or number."""
    if given is None:
        return None
    try:
        code = ResultCode[given] if isinstance(given, str) else ResultCode(given)
    except (KeyError, ValueError):
        code = ResultCode.OK
    if code is ResultCode.OK:
        raise BadRequest(
            f"inject: 'code' is to be a result code other than 0, as 18 or DEVICE_OVERLOAD, "
            f"not {given!r}"
        )
    return code


def _reply(given: str | None) -> Reply:
    try:
        return Reply.SENT if given is None else Reply(given)
    except ValueError:
        raise BadRequest(f"inject: 'reply' is to be lost or cut, not '{given}'") from None


def _check(fault: Fault, name: str | None) -> None:
    """Raises BadRequest for what does not go together."""
    kinds, match = fault.match.kinds, fault.match
    of_records = (match.namespace, match.set_name, match.digest, match.bin)
    if fault.times < 0 or fault.delay_s < 0:
        raise BadRequest("inject: 'times' and 'delay_ms' are not negative; 'times' 0: all")
    if kinds & {CONNECT, INFO} and of_records != (None,) * 4:
        raise BadRequest("inject: connections and info requests are about no record")
    if fault.code is not None and fault.reply is not Reply.SENT:
        raise BadRequest(
            "inject: a request that is answered with a code is not carried out, so "
            "its reply cannot be lost or cut; say one of 'code' and 'reply'"
        )
    if name == "hot-key" and match.digest is None:
        raise BadRequest("inject: a hot-key has a 'key', with its 'set', or a 'digest'")
    does_nothing = fault.code is None and fault.reply is Reply.SENT and not fault.delay_s
    if does_nothing and CONNECT not in kinds:
        raise BadRequest("inject: say what happens: 'code', 'delay_ms' or 'reply'; or a 'fault'")


def shown(number: int, fault: Fault) -> dict[str, Any]:
    """What is said of a fault."""
    match = fault.match
    said = {
        "id": number,
        "hits": fault.hits,
        "times": fault.times,
        "kind": [kind for kind in KINDS if kind in match.kinds],
        "namespace": _text(match.namespace),
        "set": _text(match.set_name),
        "digest": None if match.digest is None else match.digest.hex(),
        "bin": _text(match.bin),
        "code": None if fault.code is None else fault.code.name,
        "delay_ms": fault.delay_s * 1000 or None,
        "reply": None if fault.reply is Reply.SENT else fault.reply.value,
    }
    return {name: value for name, value in said.items() if value is not None}


def _text(name: bytes | None) -> str | None:
    return None if name is None else name.decode("utf-8", "surrogateescape")
