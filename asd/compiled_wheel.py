"""Make the wheel of `citrusleaf-asd` that carries compiled twins, for the Python that runs this.

    PYTHONPATH=asd/src:storage/src:aerospike_common/src python asd/compiled_wheel.py dist

It comes beside the pure wheel in the folder, which it is made of: the same files, the twins in
`asd/twins`, and a name that says which Python and which platform it is for. pip takes it before the
pure one where it fits. Wants Cython, a C compiler, `packaging` and `wheel`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.tags import sys_tags

from asd.process import compilation, compiled

PURE = "citrusleaf_asd-*-py3-none-any.whl"


def wheel(*arguments: str) -> None:
    """Run the command of the `wheel` project."""
    subprocess.run([sys.executable, "-m", "wheel", *arguments], check=True)


def tag() -> str:
    """For which Python, ABI and platform: the most particular that an index takes as well."""
    best = next(each for each in sys_tags() if not each.platform.startswith("linux_"))
    assert best.abi.startswith(best.interpreter), f"no tag for this platform before {best}"
    return str(best)


def main() -> None:
    """Unpack the pure wheel, add the twins, pack."""
    dist = Path(sys.argv[1]).resolve()
    (pure,) = dist.glob(PURE)
    sources = compiled.sources()
    with TemporaryDirectory() as name:
        wheel("unpack", str(pure), "--dest", name)
        (content,) = Path(name).iterdir()
        twins = content / "asd" / compiled.SHIPPED
        compilation.make(sources, twins / compiled.shipped_for(sources), print)
        (facts,) = content.glob("*.dist-info/WHEEL")
        said = facts.read_text("utf-8").replace("Purelib: true", "Purelib: false")
        facts.write_text(re.sub("(?m)^Tag: .*$", f"Tag: {tag()}", said), "utf-8")
        wheel("pack", str(content), "--dest-dir", str(dist))


if __name__ == "__main__":
    main()
