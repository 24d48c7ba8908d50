"""Every example in a docstring of the package runs, and so does the README's."""

import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import citrusleaf

README = Path(__file__).parents[2] / "citrusleaf" / "README.md"
MODULES = [
    "citrusleaf",
    *(f"citrusleaf.{m.name}" for m in pkgutil.iter_modules(citrusleaf.__path__)),
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    module = importlib.import_module(name)
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("name", [n for n in MODULES if ".cf_" in n])
def test_every_module_shows_an_example(name: str) -> None:
    finder = doctest.DocTestFinder(exclude_empty=True)
    assert any(test.examples for test in finder.find(importlib.import_module(name)))


def test_readme(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    exec(compile(code, str(README), "exec"), {})
    assert capsys.readouterr().out == "{492: 4}\n"


def test_the_public_face_exists_and_is_documented() -> None:
    for name in citrusleaf.__all__:
        public = getattr(citrusleaf, name)
        if inspect.isclass(public) or inspect.isfunction(public) or inspect.ismodule(public):
            assert public.__doc__, name
