"""The page in a browser: it shows the node's figures, in light and in dark."""

import re
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest


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


def test_the_page_shows_the_node(web, browser) -> None:
    for number in range(1234):
        web.put(number, b"<b>bold</b>")
    histogram = web.node.namespaces[b"test"].read_latency
    web.on_loop(lambda: histogram.add_many(300_000, 42))
    dom = browser.dom(web.port)
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
    assert "This node is alone: it serves all partitions" in text_of(dom, "cluster-facts")
    assert re.search(r'<div id="partitions"[^>]* hidden', dom)


# ------------------------------------------------------------------------- a cluster


@pytest.fixture
def crowd(web, fake_cluster, monkeypatch) -> Any:
    """The node is one of twenty, and the others say of themselves what they should not."""
    others = [f"{number:X}" for number in range(0xB1, 0xB1 + 19)]
    cluster = fake_cluster(web.node.node_id, others, "<img src=x onerror=alert(1)>")
    monkeypatch.setattr(type(web.node), "cluster", cluster)
    return web


def cells_of(dom: str) -> list[list[int]]:
    """The numbers of cells that the outlines of each picture have."""
    pictures = re.findall(r'<svg class="picture".*?</svg>', dom)
    return [[d.count("M") for d in re.findall(r' d="([^"]*)"', each)] for each in pictures]


def test_every_partition_is_in_the_pictures_once(crowd, browser) -> None:
    dom = browser.dom(crowd.port)
    masters, roles, (moving,) = browser.counts(dom)
    for counted in (masters, roles):
        assert counted[-1] == 4096 == sum(counted[:-1])
    assert len(masters) == 20 + 1
    assert moving == 410
    by_master, by_role = cells_of(dom)
    assert by_master == masters[:-1]
    assert sum(by_role) == 4096
    assert sum(by_role[1::2]) == moving
    assert [a + b for a, b in zip(by_role[::2], by_role[1::2], strict=True)] == roles[:-1]


def test_what_a_peer_says_is_text(crowd, browser) -> None:
    dom = browser.dom(crowd.port)
    assert "<img" not in dom
    assert "&lt;img src=x onerror=alert(1)&gt;" in text_of(dom, "members")


def test_the_cluster_in_words(crowd, browser) -> None:
    dom = browser.dom(crowd.port)
    facts = text_of(dom, "cluster-facts")
    for fact in ("20 nodes", "whole", "principal B1", "key C0FFEE", "clocks within 19 ms"):
        assert fact in facts
    assert re.search(r"<option[^>]*>bar</option>", dom)
    members = text_of(dom, "members")
    assert "B1 principal" in members
    assert f"{crowd.node.node_id} this node" in members
    assert "5 writes, 500 B" in members
    assert "test, to come 4 of 9 partitions left, 1 under way; 70 records have come" in text_of(
        dom, "migrations"
    )


def test_it_is_light_or_dark_as_the_reader_likes(web, browser, tmp_path: Path) -> None:
    light, dark = tmp_path / "light.png", tmp_path / "dark.png"
    browser.picture(web.port, light)
    browser.picture(web.port, dark, dark=True)
    assert min(first_pixel(light)) > 200
    assert max(first_pixel(dark)) < 60
