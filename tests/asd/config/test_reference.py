"""The reference page says what the code does."""

import re
from pathlib import Path

import pytest

from asd.config import Parameter, Status
from asd.config.obsolete import OBSOLETE
from asd.config.reference import render
from asd.config.table import SECTIONS

ROOT = Path(__file__).parents[3]
PARAMETERS = [
    (heading, parameter)
    for heading, section in SECTIONS.items()
    for parameter in section.parameters().values()
]


def attributes_read() -> set[str]:
    """Names of the configuration's attributes that some code of the server reads."""
    package = ROOT / "asd" / "src" / "asd"
    found = set()
    for path in package.rglob("*.py"):
        configuration = package / "config" in path.parents
        # within the configuration, only the accessors read: they call a set's section `own`
        everywhere = "config|service|network|admin|heartbeat|fabric|security"
        everywhere += "|storage|storage_engine|section|own"
        owner = "own" if configuration else f"(?:{everywhere})"
        found.update(re.findall(rf"(?=\b{owner}\.(\w+))", path.read_text("utf-8")))
    return found


def test_the_page_is_up_to_date():
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    assert page == render(), "run: python -m asd.config.reference > docs/configuration.md"


@pytest.mark.parametrize(("heading", "parameter"), PARAMETERS)
def test_parameters_are_fully_declared(heading: str, parameter: Parameter):
    declaration = parameter.declaration
    parameter.kind.check(parameter.default)
    assert re.fullmatch(r"[a-z0-9-]+", parameter.name)
    assert re.fullmatch(r"[^|\n]+\.", declaration.help), "help is one sentence"
    assert declaration.works + bool(declaration.refused) + bool(declaration.why_not) == 1


def test_status_is_the_truth():
    """In effect: some code reads it. Accepted without effect: none does."""
    read = attributes_read()
    shared = ("port", "address")  # other sections have attributes of these names that work
    for heading, parameter in PARAMETERS:
        where = f"{heading} {parameter.name}"
        if parameter.status is Status.IN_EFFECT:
            assert parameter.attribute in read, f"{where} is to work, but nothing reads it"
        elif parameter.status is Status.ACCEPTED and parameter.attribute not in shared:
            assert parameter.attribute not in read, f"{where} is read: declare it works=True"


def test_no_name_is_both_obsolete_and_known():
    contexts = {
        "service": SECTIONS["service"],
        "network.service": SECTIONS["network service"],
        "heartbeat": SECTIONS["network heartbeat"],
        "namespace": SECTIONS["namespace"],
        "set": SECTIONS["namespace set"],
        "storage-engine": SECTIONS["namespace storage-engine"],
    }
    for context, section in contexts.items():
        assert not set(OBSOLETE[context]) & set(section.parameters())
