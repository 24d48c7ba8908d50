"""`asd --compile`: the hot modules, compiled by Cython and a C compiler (`asd.process.compiled`).

An adapter: it runs the compilers and writes the cache.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Final

from asd.process import compiled

_COMPILERS: Final = ("cc", "gcc", "clang")
_LINKED_AT_LOAD: Final = ("-bundle", "-undefined", "dynamic_lookup")
"""How macOS wants to hear that the interpreter's functions come later."""


class CompilationError(Exception):
    """Something that is needed is missing, or a compiler is not content."""


def run() -> int:
    """Compile, saying on standard output how it goes; the exit status, 0 or 1."""
    try:
        folder = build(lambda line: print(line, flush=True))
    except (CompilationError, OSError) as error:
        print(f"asd: cannot compile: {error}", file=sys.stderr)
        return 1
    print(f"compiled: {folder}; asd uses it from its next start on")
    return 0


def build(say: Callable[[str], None]) -> Path:
    """Compile what is not compiled yet; where it is. `say` gets a line for each module.

    Until all is there, none of it is to be seen. Raises CompilationError, and OSError for a cache
    that cannot be written.
    """
    sources = compiled.sources()
    folder = compiled.folder_for(sources)
    if not compiled.usable(folder):
        make(sources, folder, say)
    return folder


def make(sources: Mapping[str, bytes], folder: Path, say: Callable[[str], None]) -> None:
    """Compile these sources into a folder, which is there only once all is done. `say` and errors
    as with `build`."""
    c_compiler, headers = _find_c_compiler(), _find_headers()
    if find_spec("Cython") is None:
        raise CompilationError("there is no Cython: pip install cython")
    before = os.umask(0o077)  # what others may write to would not be used
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix="building-", dir=folder.parent) as name:
            if reason := compiled.distrust(Path(name)):
                raise CompilationError(reason)
            work = _Work(Path(name), sources, [*c_compiler, "-I", headers])
            work.compile_all(say)
            work.deliver(folder)
    finally:
        os.umask(before)


def _find_c_compiler() -> list[str]:
    chosen = shlex.split(os.environ.get("CC", ""))
    for command in [chosen] if chosen else [[name] for name in _COMPILERS]:
        if shutil.which(command[0]):
            return command
    raise CompilationError("there is no C compiler: install gcc or clang, or name one in CC")


def _find_headers() -> str:
    headers = sysconfig.get_path("include")
    if not os.path.exists(os.path.join(headers, "Python.h")):
        raise CompilationError(
            f"there is no Python.h in {headers}: install the headers of this Python (python3-dev)"
        )
    return headers


class _Work:
    """A folder to compile in: the sources as they were read, what is made of them beside."""

    def __init__(
        self, folder: Path, sources: Mapping[str, bytes], c_compiler: Sequence[str]
    ) -> None:
        self._sources = folder / "sources"
        self._twins = folder / "twins"
        self._c_compiler = c_compiler
        self._twins.mkdir()
        for name, content in sources.items():
            path = self._sources / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            # Not in the folder itself: a package there, and Cython finds the types of no module.
            package = path.parent
            while package != self._sources:
                (package / "__init__.py").touch()
                package = package.parent

    def compile_all(self, say: Callable[[str], None]) -> None:
        """Compile the modules, as many at once as there are cores. Raises CompilationError."""
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            jobs = {threads.submit(self._compile, module): module for module in compiled.MODULES}
            for job in as_completed(jobs):
                say(f"{jobs[job]}: {job.result():.1f} s")

    def _compile(self, module: str) -> float:
        """Compile one module; the seconds it took."""
        began = perf_counter()
        source, c_source = module.replace(".", "/") + ".py", f"{module}.c"
        directives = [f"-X{directive}" for directive in compiled.DIRECTIVES]
        cython = (sys.executable, "-P", "-m", "cython", *directives, "--module-name", module)
        self._run(*cython, source, "-o", c_source)
        linking = _LINKED_AT_LOAD if sys.platform == "darwin" else ("-shared",)
        twin = str(self._twins / (module + compiled.SUFFIX))
        flags = *compiled.C_FLAGS, *shlex.split(os.environ.get("CFLAGS", ""))
        self._run(*self._c_compiler, *flags, *linking, c_source, "-o", twin)
        return perf_counter() - began

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            command, cwd=self._sources, check=False, capture_output=True, text=True
        )
        if done.returncode:
            said = (done.stdout + done.stderr).strip()
            raise CompilationError(f"'{shlex.join(command)}' failed:\n{said}")

    def deliver(self, folder: Path) -> None:
        """Put the twins where they are looked for. Raises OSError."""
        (self._twins / compiled.CHECKSUMS).write_text(compiled.checksums(self._twins), "utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        try:
            self._twins.rename(folder)
        except OSError:
            if not compiled.usable(folder):  # else somebody else was as quick
                raise
