"""The reference page of the configuration, made from the parameters' own table.

python -m asd.config.reference > docs/configuration.md
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from asd.config.config import ModLuaConfig
from asd.config.namespace import GeoConfig, NamespaceConfig, SetConfig
from asd.config.network import (
    AdminConfig,
    FabricConfig,
    HeartbeatConfig,
    HttpConfig,
    NetworkServiceConfig,
)
from asd.config.obsolete import OBSOLETE
from asd.config.parameters import Parameter, Section, Status
from asd.config.reader import REFUSED_CONTEXTS
from asd.config.service import ServiceConfig
from asd.config.storage import ENGINES, StorageConfig

SECTIONS: Final[tuple[tuple[str, type[Section]], ...]] = (
    ("service { }", ServiceConfig),
    ("network { service { } }", NetworkServiceConfig),
    ("network { admin { } }", AdminConfig),
    ("network { heartbeat { } }", HeartbeatConfig),
    ("network { fabric { } }", FabricConfig),
    ("network { http { } }", HttpConfig),
    ("namespace NAME { }", NamespaceConfig),
    ("namespace NAME { set NAME { } }", SetConfig),
    ("namespace NAME { storage-engine ENGINE { } }", StorageConfig),
    ("namespace NAME { geo2dsphere-within { } }", GeoConfig),
    ("mod-lua { }", ModLuaConfig),
)
"""Heading and section, in the order of the page."""

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
- Sizes are bytes or have a suffix K, M, G, T (powers of 1024). Durations are seconds or have a
  suffix s, m, h, d. Plain counts have no suffix.
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
- **dynamic** parameters can be changed by `set-config` while the server runs. **enterprise** ones
  are refused with `--edition community`.
"""


def render() -> str:
    """The page, in Markdown."""
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    engines = ", ".join(f"`{engine}`" for engine in ENGINES)
    yield f"{_INTRODUCTION}- Storage engines: {engines}.\n"
    for heading, section in SECTIONS:
        yield f"## `{heading}`\n"
        yield "| Parameter | Default | Values | What it sets | Here |"
        yield "|---|---|---|---|---|"
        yield from (_row(parameter) for parameter in section.parameters().values())
        yield ""
    yield from _logging()
    yield "## Refused contexts\n"
    yield from (f"- `{name} {{ }}`: {why}" for name, why in REFUSED_CONTEXTS.items())
    yield "\n## Obsolete names\n"
    yield "| Context | Name | Instead |"
    yield "|---|---|---|"
    for context, names in OBSOLETE.items():
        yield from (f"| {context or '(top)'} | `{name}` | {to} |" for name, to in names.items())


def _logging() -> Iterator[str]:
    yield "## `logging { }`\n"
    yield "`console { context NAME LEVEL }` and `file PATH { context NAME LEVEL }`; the name `any`"
    yield "stands for all contexts. Levels: critical, warning, info, debug, detail.\n"


def _row(parameter: Parameter) -> str:
    declaration = parameter.declaration
    traits = [
        *(["dynamic"] if declaration.dynamic else []),
        *(["enterprise"] if declaration.enterprise else []),
    ]
    marks = f" ({', '.join(traits)})" if traits else ""
    here = parameter.status.value
    if parameter.status is Status.REFUSED:
        here += f": {declaration.refused}"
    elif declaration.why_not:
        here += f": {declaration.why_not}"
    elif declaration.engines:
        here += f" with {', '.join(declaration.engines)}"
    cells = (
        f"`{parameter.name}`{marks}",
        f"`{parameter.kind.show(parameter.default)}`",
        parameter.kind.allowed(),
        declaration.help,
        here,
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    print(render(), end="")
