"""The examples in the wire's docstrings are true."""

import doctest

from aerospike_common.wire import frame, info


def test_examples() -> None:
    for module, least in ((frame, 4), (info, 3)):
        result = doctest.testmod(module)
        assert result.attempted >= least
        assert result.failed == 0
