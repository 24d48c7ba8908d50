"""Every example in the documentation does what it shows; every public name is documented."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import aerospike_common

MODULES = [
    module.name
    for module in pkgutil.iter_modules(aerospike_common.__path__)
    if module.name.startswith("as_") or module.name == "crypt_blowfish"
]


def load(name: str):
    return importlib.import_module(f"aerospike_common.{name}")


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name):
    assert doctest.testmod(load(name)).failed == 0


@pytest.mark.parametrize("name", MODULES)
def test_public_names_are_documented(name):
    module = load(name)
    assert module.__doc__
    for public, thing in vars(module).items():
        if public.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
            continue
        assert inspect.getdoc(thing), f"{name}.{public}"
        if inspect.isclass(thing):
            for method, member in vars(thing).items():
                if inspect.isfunction(member) and not method.startswith("_"):
                    assert inspect.getdoc(getattr(thing, method)), f"{name}.{public}.{method}"


def test_the_face_is_whole():
    assert len(set(aerospike_common.__all__)) == len(aerospike_common.__all__)
    for name in aerospike_common.__all__:
        assert getattr(aerospike_common, name) is not None
