"""Install each package alone with plain pip into an empty environment and import all its modules.

Shared environments hide a dependency that a package forgot to name; empty ones do not.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# A package and the packages of this repository it stands on, bottom first.
MEMBERS = {
    "citrusleaf": ["citrusleaf"],
    "aerospike_common": ["citrusleaf", "aerospike_common"],
    "storage": ["citrusleaf", "storage"],
    "cluster": ["citrusleaf", "aerospike_common", "cluster"],
    "asd": ["citrusleaf", "aerospike_common", "storage", "cluster", "asd"],
}

IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
names = [m.name for m in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
for name in names:
    if not name.endswith(".__main__") and name != "asd.pytest_plugin":
        importlib.import_module(name)
print(f"{sys.argv[1]}: {len(names)} modules import")
"""


def main() -> int:
    for member, folders in MEMBERS.items():
        with tempfile.TemporaryDirectory() as directory:
            venv.create(directory, with_pip=True)
            python = str(Path(directory) / "bin" / "python")
            install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*install, *(str(ROOT / folder) for folder in folders)], check=True)
            subprocess.run([python, "-c", IMPORT_ALL, member], check=True, cwd=directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
