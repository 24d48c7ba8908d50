"""Install what `make dist` has built as from PyPI into empty environments: once the wheels, once
the source distributions. Then look whether it is whole, and run it.

    python tests/install_dist.py dist

The third-party packages come from the index; ours must all come from the folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from install_members import IMPORT_ALL, MEMBERS

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

TEST = """
from aerospike_client import Client, Key

def test_it(aerospike_server):
    with Client([aerospike_server.address]) as client:
        client.put(Key("test", "s", 1), {"n": 1})
        assert client.get(Key("test", "s", 1)).bins == {"n": 1}
        aerospike_server.reset()
        assert not client.exists(Key("test", "s", 1))
"""


def one_of_each(folder: Path) -> None:
    """The folder has a wheel and a source distribution of every package, and nothing else."""
    built = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    wanted = {name.replace("-", "_") for name in DISTRIBUTIONS.values()}
    for suffix in (".whl", ".tar.gz"):
        names = {name.split("-")[0] for name in built if name.endswith(suffix)}
        assert names == wanted, f"{suffix} of {sorted(names)} in {folder}"
    assert len(built) == 2 * len(wanted), f"more than one version in {folder}: {built}"


def install(folder: Path, directory: str, kind: str) -> Path:
    """An environment with `citrusleaf-asd` and pytest; the folder of its commands."""
    venv.create(directory, with_pip=True)
    commands = Path(directory) / "bin"
    ours = ",".join(DISTRIBUTIONS.values())
    subprocess.run(
        [
            *(str(commands / "python"), "-m", "pip", "install", "--quiet"),
            *("--disable-pip-version-check", "--find-links", str(folder)),
            *(f"--only-binary={ours}",) * (kind == "wheels"),
            *(f"--no-binary={ours}",) * (kind == "source distributions"),
            *("citrusleaf-asd", "pytest"),
        ],
        check=True,
    )
    return commands


def prove(commands: Path, directory: str) -> None:
    """Every module imports, the command runs, a test has its server."""
    python = str(commands / "python")
    environment = {**os.environ, "PYTHONPATH": ""}

    def run(*words: str) -> None:
        subprocess.run(words, check=True, cwd=directory, env=environment)

    run(python, "-I", "-c", LOOK, *DISTRIBUTIONS.values())
    for member in MEMBERS:
        run(python, "-I", "-c", IMPORT_ALL, member)
    run(str(commands / "asd"), "--version")
    (Path(directory) / "test_it.py").write_text(TEST)
    run(str(commands / "pytest"), "-q", "-W", "error", "test_it.py")


def main() -> int:
    folder = Path(sys.argv[1]).resolve()
    one_of_each(folder)
    for kind in ("wheels", "source distributions"):
        with tempfile.TemporaryDirectory() as directory:
            print(f"== {kind}", flush=True)
            prove(install(folder, directory, kind), directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
