"""The page in a browser: it shows the node's figures, in light and in dark."""

import re
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here to show the page")

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--window-size=1240,1400",
    "--timeout=15000",
    "--virtual-time-budget=4500",  # two refreshes, without waiting for them
)
DARK = "--blink-settings=preferredColorScheme=0"


def browse(web, folder: Path, *flags: str) -> str:
    """What the browser prints of the page."""
    assert CHROMIUM is not None
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}", *flags]
    command.append(f"http://127.0.0.1:{web.port}/")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout


def first_pixel(picture: Path) -> tuple[int, ...]:
    """The colour of a PNG's corner: there the filters of the format change nothing."""
    data = picture.read_bytes()
    packed, place = b"", 8
    while place < len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        if kind == b"IDAT":
            packed += data[place + 8 : place + 8 + size]
        place += 12 + size
    return tuple(zlib.decompress(packed)[1:4])


def text_of(dom: str, element: str) -> str:
    """The text within the element of this id, up to the end of its parent."""
    part = dom.partition(f'id="{element}"')[2].partition(">")[2]
    return " ".join(re.sub(r"<[^>]*>", " ", part.partition("</section>")[0]).split())


def test_the_page_shows_the_node(web, tmp_path: Path) -> None:
    for number in range(1234):
        web.put(number, b"<b>bold</b>")
    histogram = web.node.namespaces[b"test"].read_latency
    web.on_loop(lambda: histogram.add_many(300_000, 42))
    dom = browse(web, tmp_path, "--dump-dom")
    assert re.search(r'id="live"[^>]*>live<', dom)
    assert web.node.node_id in text_of(dom, "node-id")
    assert re.search(r"<dt>records</dt><dd>1,234</dd>", dom)
    sets = text_of(dom, "sets")
    assert "test &lt;b&gt;bold&lt;/b&gt; 1,234 0 2.41 KiB" in sets
    assert "No index has been created." in text_of(dom, "indexes")
    assert re.search(r"\{test\}-read(</\w+>|<td class=\"n\">)+42<", dom)
    configuration = text_of(dom, "parameters")
    assert "nsup-period namespace test 120 0" in configuration
    assert "ticker-interval" not in configuration
    assert 'role="img"' in dom.partition('id="chart"')[2][:200]


def test_it_is_light_or_dark_as_the_reader_likes(web, tmp_path: Path) -> None:
    light, dark = tmp_path / "light.png", tmp_path / "dark.png"
    browse(web, tmp_path, f"--screenshot={light}")
    browse(web, tmp_path, f"--screenshot={dark}", DARK)
    assert min(first_pixel(light)) > 200
    assert max(first_pixel(dark)) < 60
