"""The manual's example in JavaScript runs as it stands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[3] / "docs"
NODE = shutil.which("node")

USE = """
import { startServer } from "./server.mjs";

const server = await startServer();
try {
  const before = (await server.control("status")).clock.monotonic_ns;
  await server.control("load", { records: [{ set: "s", key: 1, bins: { n: 1 }, ttl: 60 }] });
  await server.control("inject", { fault: "stop-writes" });
  const dumped = (await server.control("dump")).records;
  await server.control("clock", { advance: 3600 });
  const left = (await server.control("dump")).records;
  const refused = await server.control("clock", { advance: -1 }).catch((error) => error.message);
  await server.control("reset");
  console.log(dumped[0].bins.n, left.length, refused.includes("advance"), server.address);
} finally {
  server.stop();
}
"""


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_a_project_in_javascript(tmp_path: Path) -> None:
    blocks = re.findall(r"```javascript\n(.*?)```", (DOCS / "testing-control.md").read_text(), re.S)
    (tmp_path / "server.mjs").write_text(blocks[0])
    (tmp_path / "use.mjs").write_text(USE)
    commands = Path(sys.executable).parent
    assert NODE is not None
    done = subprocess.run(
        [NODE, "use.mjs"],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{commands}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"1 0 true 127\.0\.0\.1:\d+\n", done.stdout)
