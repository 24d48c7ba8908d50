"""Values as people type them and as they are shown: Python's literals in, text or JSON out."""

from __future__ import annotations

import ast
import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aerospike_client import expressions, operations
from aerospike_client.errors import ClientError, InvalidParameter
from aerospike_client.expressions import Expression
from aerospike_common import AsBytes, AsGeojson
from aerospike_common.wire import Op, ParticleType

_WORDS: Final = {"true": True, "false": False, "null": None, "nil": None}


def parse_value(text: str) -> Any:
    """What a word stands for: a Python literal, true, false, null, or else itself as text.

    >>> [parse_value(text) for text in ("36", "'36'", "[1, 'a']", "null", "Ada Lovelace")]
    [36, '36', [1, 'a'], None, 'Ada Lovelace']
    """
    if text in _WORDS:
        return _WORDS[text]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def parse_expression(text: str) -> Expression:
    """An expression in Python: `Bin("age") >= 21`. InvalidParameter when it is none."""
    found = _evaluate(text, {name: getattr(expressions, name) for name in expressions.__all__})
    if not isinstance(found, Expression):
        raise InvalidParameter(f"not an expression, but {type(found).__name__}: {text}")
    return found


def parse_operation(text: str) -> Op:
    """An operation in Python: `add("n", 1)`, `lists.append("tags", "x")`."""
    names = {name: getattr(expressions, name) for name in expressions.__all__}
    names |= {name: getattr(operations, name) for name in operations.__all__}
    found = _evaluate(text, names)
    if not isinstance(found, Op):
        raise InvalidParameter(f"not an operation, but {type(found).__name__}: {text}")
    return found


def _evaluate(text: str, names: Mapping[str, Any]) -> Any:
    """The value of a Python expression over these names and no others.

    Without names that begin with _, Python's own machinery is out of reach: a script may pass on a
    condition that somebody else has written.
    """
    try:
        tree = ast.parse(text.strip(), "<shell>", "eval")
        for node in ast.walk(tree):
            name = getattr(node, "attr", getattr(node, "id", ""))
            if name.startswith("_"):
                raise InvalidParameter(f"names with _ in front are not known here: {name}")
        return eval(compile(tree, "<shell>", "eval"), {"__builtins__": {}}, dict(names))
    except ClientError:
        raise
    except NameError as error:
        close = ", ".join(sorted(name for name in names if name[:1] == str(error.name)[:1]))
        raise InvalidParameter(f"{error.name!r} is not known here; there are: {close}") from None
    except SyntaxError as error:
        raise InvalidParameter(f"not Python: {error.msg}: {text}") from None
    except (TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise InvalidParameter(f"{error}: {text}") from None


def as_text(value: Any) -> str:
    """A value for people. Text stands without quotes where nothing could be mistaken."""
    match value:
        case str():
            plain = value.isprintable() and value == value.strip() and parse_value(value) == value
            return value if plain and value else repr(value)
        case AsGeojson():
            return value.value
        case AsBytes(type=ParticleType.HLL):
            return f"<HyperLogLog sketch, {len(value.value)} bytes>"
        case AsBytes():
            return f"<{value.type.name.lower().replace('_', ' ')}: {value.value!r}>"
    return repr(value)


def as_json(value: Any) -> str:
    """A value on one line of JSON: bytes as `{"base64": ...}`, GeoJSON as `{"geojson": ...}`,
    keys that are not text as the text of their literal."""
    return json.dumps(_jsonable(value), ensure_ascii=False)


def _jsonable(value: Any) -> Any:
    match value:
        case bytes():
            return {"base64": base64.b64encode(value).decode("ascii")}
        case AsBytes():
            return {
                "base64": base64.b64encode(value.value).decode("ascii"),
                "type": value.type.name,
            }
        case AsGeojson():
            return {"geojson": value.value}
        case Mapping():
            return {
                key if isinstance(key, str) else repr(key): _jsonable(each)
                for key, each in value.items()
            }
        case str():
            return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        case Sequence():
            return [_jsonable(each) for each in value]
    return value
