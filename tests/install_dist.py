"""Install what `make dist` has built as from PyPI into empty environments: once the wheels, once
the pure ones alone, once the source distributions. Then look whether it is whole, and run it: a
server is compiled where there is a wheel with twins for this Python.

    python tests/install_dist.py dist

The third-party packages come from the index; ours must all come from the folder.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from install_members import IMPORT_ALL, MEMBERS

ROOT = Path(__file__).resolve().parents[1]

DISTRIBUTIONS = {
    "citrusleaf": "citrusleaf",
    "aerospike_common": "citrusleaf-common",
    "storage": "citrusleaf-storage",
    "cluster": "citrusleaf-cluster",
    "aerospike_client": "citrusleaf-client",
    "asd": "citrusleaf-asd",
}
"""Import name -> name on the index."""

LOOK = """
import sys
from importlib.metadata import entry_points, metadata, files
for name in sys.argv[1:]:
    said = metadata(name)
    assert said["License-Expression"] == "Apache-2.0", name
    assert said["Summary"] and said["Keywords"] and said["Description-Content-Type"], name
    assert said.get_payload() or said["Description"], f"{name} has no README"
    assert "Typing :: Typed" in said.get_all("Classifier"), name
    names = [str(path) for path in files(name)]
    assert any(path.endswith("licenses/LICENSE") for path in names), f"{name} has no LICENSE"
    assert any(path.endswith("/py.typed") for path in names), f"{name} has no py.typed"
    print(f"{name} {said['Version']}: metadata, LICENSE, py.typed")
assert entry_points(group="console_scripts", name="asd")
assert entry_points(group="pytest11", name="asd")
"""

PURE = "-py3-none-any.whl"

TEST = """
from aerospike_client import Client, Key

def test_it(aerospike_server):
    with Client([aerospike_server.address]) as client:
        client.put(Key("test", "s", 1), {"n": 1})
        assert client.get(Key("test", "s", 1)).bins == {"n": 1}
        aerospike_server.reset()
        assert not client.exists(Key("test", "s", 1))
"""


USES = """
import sys
import psutil
from asd import Server
from asd.process import compiled

wanted = sys.argv[1] == "compiled"
assert compiled.use() == wanted, f"the request path is not {sys.argv[1]}"
with Server():
    (server,) = psutil.Process().children()
    if psutil.LINUX:  # elsewhere nobody says what a process has loaded
        loaded = any("/asd/twins/" in each.path for each in server.memory_maps())
        assert loaded == wanted, f"a test's server is not {sys.argv[1]}"
print("the request path is", sys.argv[1])
"""

README_CALLS = """
import subprocess, sys
command = [sys.argv[1], "--service-port", "0", "--until-eof"]
with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as server:
    port = server.stdout.readline().split(":")[1].strip()
    exec(sys.argv[2].replace("3000", port))
    server.stdin.close()
"""

COMPILED = f"citrusleaf_asd-*-cp{sys.version_info[0]}{sys.version_info[1]}-*.whl"
"""The wheel that pip takes for this Python, where there is one."""


def one_of_each(folder: Path) -> None:
    """The folder has a pure wheel and a source distribution of every package, and nothing else but
    wheels of `citrusleaf-asd` with twins, of the same version."""
    built = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    wanted = {name.replace("-", "_") for name in DISTRIBUTIONS.values()}
    for suffix in (".whl", ".tar.gz"):
        names = {name.split("-")[0] for name in built if name.endswith(suffix)}
        assert names == wanted, f"{suffix} of {sorted(names)} in {folder}"
    twins = [name for name in built if name.endswith(".whl") and not name.endswith(PURE)]
    assert len(built) == 2 * len(wanted) + len(twins), f"more than one version: {built}"
    (pure,) = folder.glob(f"citrusleaf_asd-*{PURE}")
    stem = pure.name.removesuffix(PURE)
    assert all(name.startswith(f"{stem}-cp") for name in twins), twins


def install(folder: Path, directory: str, kind: str) -> Path:
    """An environment with `citrusleaf-asd`, pytest and the official client; the folder of its
    commands."""
    venv.create(directory, with_pip=True)
    commands = Path(directory) / "bin"
    ours = ",".join(DISTRIBUTIONS.values())
    subprocess.run(
        [
            *(str(commands / "python"), "-m", "pip", "install", "--quiet"),
            *("--disable-pip-version-check", "--find-links", str(folder)),
            *(f"--only-binary={ours}",) * kind.endswith("wheels"),
            *(f"--no-binary={ours}",) * (kind == "source distributions"),
            *("citrusleaf-asd", "pytest", "aerospike"),
        ],
        check=True,
    )
    return commands


def prove(commands: Path, directory: str, kind: str) -> None:
    """Every module imports, the command runs, a test has its server, of this `kind`."""
    python = str(commands / "python")
    no_cache = {"XDG_CACHE_HOME": directory}  # nothing that `asd --compile` has made
    environment = {**os.environ, **no_cache, "PYTHONPATH": ""}

    def run(*words: str) -> None:
        subprocess.run(words, check=True, cwd=directory, env=environment)

    run(python, "-I", "-c", LOOK, *DISTRIBUTIONS.values())
    for member in MEMBERS:
        run(python, "-I", "-c", IMPORT_ALL, member)
    run(str(commands / "asd"), "--version")
    run(python, "-c", USES, kind)
    (Path(directory) / "test_it.py").write_text(TEST)
    run(str(commands / "pytest"), "-q", "-W", "error", "test_it.py")


def examples(page: str) -> list[str]:
    """The pieces of Python on a page."""
    return re.findall(r"```python\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)


def prove_examples(commands: Path, directory: str) -> None:
    """What the READMEs show works with nothing else installed."""
    python = str(commands / "python")
    environment = {**os.environ, "PYTHONPATH": ""}

    def run(*words: str) -> None:
        subprocess.run(words, check=True, cwd=directory, env=environment)

    first_calls, first_test = examples("README.md")
    run(python, "-c", README_CALLS, str(commands / "asd"), first_calls)
    (Path(directory) / "test_readme.py").write_text(first_test)
    run(str(commands / "pytest"), "-q", "test_readme.py")
    for source in examples("aerospike_client/README.md"):
        run(python, "-W", "error", "-c", source)
    for source in examples("asd/README.md"):
        run(python, "-c", source)
    print("the examples of the READMEs run")


def main() -> int:
    folder = Path(sys.argv[1]).resolve()
    one_of_each(folder)
    has_twins = any(folder.glob(COMPILED))
    for kind in ("wheels", "pure wheels", "source distributions"):
        with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryDirectory() as chosen:
            print(f"== {kind}", flush=True)
            if kind == "pure wheels":
                for path in folder.glob(f"*{PURE}"):
                    shutil.copy(path, chosen)
            source = Path(chosen) if kind == "pure wheels" else folder
            commands = install(source, directory, kind)
            prove(commands, directory, "compiled" if kind == "wheels" and has_twins else "plain")
            if kind == "wheels":
                prove_examples(commands, directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
