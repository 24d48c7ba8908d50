"""The reference page of the configuration, made from the parameters' own table.

python -m asd.config.reference > docs/configuration.md
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from asd.config.config import LOG_CONTEXTS, LOG_LEVELS
from asd.config.obsolete import OBSOLETE
from asd.config.parameters import Parameter
from asd.config.refused import REFUSED, RefusedContext
from asd.config.storage import ENGINES
from asd.config.table import SECTIONS, what_it_does

_HEADINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "network tls": "network { tls NAME { } }",
        "namespace": "namespace NAME { }",
        "namespace set": "namespace NAME { set NAME { } }",
        "namespace storage-engine": "namespace NAME { storage-engine ENGINE { } }",
        "namespace geo2dsphere-within": "namespace NAME { geo2dsphere-within { } }",
        "namespace index-type": "namespace NAME { index-type flash { } }",
        "namespace sindex-type": "namespace NAME { sindex-type flash { } }",
    }
)
"""Headings of contexts that need more than their words and braces."""

_INTRODUCTION: Final = """\
# Configuration

`asd --config-file FILE` reads the grammar of `aerospike.conf`; `asd --check-config FILE` only says
whether the file is right (exit status 0) or names everything wrong in it (1), each with file, line
and what to write instead.

    service {
        proto-fd-max 15000          # a name and its value; '#' begins a comment
    }
    network {
        service {
            address any
            port 3000
        }
    }
    namespace test {
        nsup-period 2m
        default-ttl 30d
        storage-engine memory
        set events { default-ttl 1h }
    }

- A parameter is one line; `{` opens a block behind its name, `}` closes it. Double quotes hold
  together what has blanks, `#` or braces in it.
- Sizes are bytes; they and plain counts may have a suffix K, M, G, T (powers of 1024). Durations
  are seconds or have a suffix s, m, h, d. The name of a boolean alone means `true`.
- A name is given once in a block, except where its kind says that it may be repeated, and except
  `namespace`, `set` and `file` log sinks.
- Nothing is ignored in silence. An unknown or obsolete name, a value out of range and a name given
  twice are errors. What a parameter does is in the tables below:
    - **in effect**: the server does what it says; where storage engines are named, with these, and
      setting it for another one gives a notice;
    - **accepted, no effect**: known to clients and tools, shown by `get-config`, changed by
      `set-config`, but nothing in this server depends on it; setting it in a file gives a notice
      ("accepted for compatibility, without effect"), in the log and from `--check-config`;
    - **refused unless it is the default**: ignoring it would break a promise (durability,
      encryption, consistency, where the server listens), so the server does not start with it.
- **dynamic** parameters can be changed by `set-config` while the server runs.
- With `--edition community` the names of the enterprise edition are refused whatever their value,
  those marked **enterprise** below as well as the contexts `security`, `xdr` and `network { tls }`;
  a cluster-name is required, and `get-config` shows what that edition shows.
"""


def render() -> str:
    """The page, in Markdown."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    engines = ", ".join(f"`{engine}`" for engine in ENGINES)
    yield f"{_INTRODUCTION}- Storage engines: {engines}.\n"
    for context, section in SECTIONS.items():
        yield f"## `{_heading(context)}`\n"
        yield "| Parameter | Default | Values | What it sets | Here |"
        yield "|---|---|---|---|---|"
        yield from (_row(parameter) for parameter in section.parameters().values())
        yield ""
    yield from _logging()
    yield from _refused()
    yield "## Obsolete names\n"
    yield "| Context | Name | Instead |"
    yield "|---|---|---|"
    for context, names in OBSOLETE.items():
        yield from (f"| {context or '(top)'} | `{name}` | {to} |" for name, to in names.items())


def _heading(context: str) -> str:
    """`network service` -> `network { service { } }`."""
    blocks = context.split()
    return _HEADINGS.get(context, " { ".join(blocks) + " { }" + " }" * (len(blocks) - 1))


def _logging() -> Iterator[str]:
    yield "## `logging { }`\n"
    yield "`console { context NAME LEVEL }` and `file PATH { context NAME LEVEL }`; the name `any`"
    yield f"stands for all contexts. Levels: {', '.join(LOG_LEVELS)}. Contexts:"
    yield f"{' '.join(LOG_CONTEXTS)}.\n"


def _refused() -> Iterator[str]:
    yield "## Refused contexts\n"
    yield "| Context | Why | Names in it |"
    yield "|---|---|---|"
    for context, refused in REFUSED.items():
        yield from _refused_rows(_heading(context), refused)
    yield ""


def _refused_rows(heading: str, refused: RefusedContext) -> Iterator[str]:
    names = " ".join(f"`{name}`" for name in sorted(refused.names))
    yield f"| `{heading}` | {refused.why} | {names} |"
    for name, within in refused.contexts.items():
        inner = heading.replace("{ }", f"{{ {name} {{ }} }}", 1)
        yield from _refused_rows(inner, within)


def _row(parameter: Parameter) -> str:
    declaration = parameter.declaration
    traits = [
        *(["dynamic"] if declaration.dynamic else []),
        *(["enterprise"] if declaration.enterprise else []),
    ]
    marks = f" ({', '.join(traits)})" if traits else ""
    cells = (
        f"`{parameter.name}`{marks}",
        f"`{parameter.kind.show(parameter.default)}`",
        parameter.kind.allowed(),
        declaration.help,
        what_it_does(parameter),
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    print(render(), end="")
