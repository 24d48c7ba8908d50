"""What the benchmarks share: the C tools, servers to measure, the facts of the machine, tables.

The tools are compiled on demand into `bench/build/`; results are written to `bench/results/`.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

BENCH: Final = Path(__file__).resolve().parent
BUILD: Final = BENCH / "build"
RESULTS: Final = BENCH / "results"
START_TIMEOUT_S: Final = 20

WITHOUT_UVLOOP: Final = (
    "import sys; sys.modules['uvloop'] = None;"  # makes `import uvloop` an ImportError
    "from asd.__main__ import main; sys.exit(main(sys.argv[1:]))"
)


@dataclass(frozen=True)
class Load:
    """What one run of the load generator measured; times are microseconds."""

    operations: int
    not_found: int
    seconds: float
    per_second: float
    p50_us: float
    p99_us: float
    p999_us: float


@dataclass(frozen=True)
class Server:
    """A server under measurement."""

    process: subprocess.Popen[str]
    port: int


WITH_TLS: Final = ("-DWITH_TLS", "-lssl", "-lcrypto")


def tool(name: str, *, tls: bool = False) -> Path:
    """The compiled program of `bench/NAME.c`, built when it is missing or older than its source.
    With `tls` it is one that speaks TLS, and needs OpenSSL's headers."""
    source, program = BENCH / f"{name}.c", BUILD / (f"{name}-tls" if tls else name)
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        if compiler is None:
            raise SystemExit("the benchmarks need a C compiler: cc, gcc or clang")
        BUILD.mkdir(exist_ok=True)
        command = [compiler, "-O2", "-Wall", "-Wextra", "-o", str(program), str(source)]
        subprocess.run([*command, *(WITH_TLS if tls else ())], check=True)
    return program


def load(
    port: int | str,
    connections: int,
    in_flight: int,
    seconds: float,
    mode: str,
    keys: int,
    greeting: Path | None = None,
    *,
    tls: bool = False,
) -> Load:
    """Load 127.0.0.1:port; or several nodes, routed, as `PORT,PORT@MAP` (see `load.c`).

    `greeting` is a file with the frame that each connection sends first: a login. `tls`: speak TLS.
    Raises CalledProcessError when the generator complains.
    """
    numbers = (port, connections, in_flight, seconds, mode, keys)
    command = [str(tool("load", tls=tls)), *map(str, numbers)]
    more = {} if greeting is None else {"LOAD_GREETING": str(greeting)}
    output = subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, **more}
    ).stdout
    return Load(**json.loads(output))


@contextmanager
def running(command: Sequence[str], **environment: str) -> Iterator[Server]:
    """A server that prints `... ready [ADDRESS:]PORT`; stopped by SIGTERM at the end.

    What `environment` names is set for it, over the environment here. Without ASD_COMPILED="1" the
    modules of `asd` are plain, whether there are compiled ones or not.
    """
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "ASD_COMPILED": "0", **environment},
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if " ready " not in line:
                raise SystemExit(f"{command[0]} did not start; it said {line!r}")
            yield Server(process, int(line.split()[-1].rsplit(":", 1)[-1]))
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(START_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()


def asd_command(*arguments: str, uvloop: bool = True) -> list[str]:
    """The command that starts `asd` on any free port, with this interpreter."""
    start = ["-m", "asd"] if uvloop else ["-c", WITHOUT_UVLOOP]
    return [sys.executable, *start, "--service-port", "0", *arguments]


def compile_asd() -> bool:
    """Compile the request path of `asd`, if that is not done; False, and said why, if it fails."""
    command = [sys.executable, "-m", "asd", "--compile"]
    done = subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
    return done.returncode == 0


def limit_command() -> list[str]:
    """The command that starts the canned-answer server."""
    return [str(tool("limit"))]


def has_uvloop() -> bool:
    """True when uvloop is installed for this interpreter."""
    return package_version("uvloop") is not None


def package_version(name: str) -> str | None:
    """The installed version of a distribution, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def rss_bytes(pid: int) -> int:
    """The resident memory of a process, from /proc."""
    for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise SystemExit("this system does not tell a process's memory in /proc")


def machine_facts() -> list[tuple[str, str]]:
    """(what, which) of everything the figures depend on."""
    return [
        ("Date", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ("Processor", f"{_processor()}, {os.cpu_count()} cores seen"),
        ("System", f"{platform.system()} {platform.release()} {platform.machine()}"),
        ("Python", _python()),
        ("uvloop", package_version("uvloop") or "not installed"),
        ("citrusleaf-asd", package_version("citrusleaf-asd") or "not installed"),
    ]


def _python() -> str:
    """Name, version and whose it is: how it was built makes up to a fifth."""
    name = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{name} of {sys.base_prefix}"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns line up; numbers stand to the right."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    lines = []
    for row in (header, *rows):
        cells = zip(row, widths, strict=True)
        padded = [cell.rjust(w) if i else cell.ljust(w) for i, (cell, w) in enumerate(cells)]
        lines.append(f"| {' | '.join(padded)} |")
    rule = "|" + "|".join("-" * (w + 1) + (":" if i else "-") for i, w in enumerate(widths)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def publish(name: str, title: str, body: str, write: bool = True) -> None:
    """Print the figures with the machine's facts, and `write` them to `bench/results/NAME.md`."""
    facts = "\n".join(f"- {what}: {which}" for what, which in machine_facts())
    page = f"# {title}\n\n{facts}\n\n{body}\n"
    print(page)
    if write:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}.md").write_text(page, "utf-8")
