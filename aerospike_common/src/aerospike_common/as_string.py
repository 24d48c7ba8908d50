"""`AsString`: text, and the encoding all text values share."""

from __future__ import annotations

import attrs

from aerospike_common.as_val import AsScalar, OrderKey, Rank, exactly


def encoded(text: str) -> bytes:
    """The UTF-8 bytes of a text.

    Stored text need not be valid UTF-8: bytes that are none are lone surrogates in the `str`
    (`surrogateescape`) and become the same bytes again. Raises UnicodeEncodeError for a `str`
    that stands for no bytes at all.

    >>> encoded("\\udcff")
    b'\\xff'
    """
    return text.encode("utf-8", "surrogateescape")


@attrs.frozen(eq=False)
class AsText(AsScalar):
    """What strings and GeoJSON share: a `str` that has bytes, by which it is ordered."""

    value: str = attrs.field(validator=exactly(str))

    @value.validator
    def _validate(self, _attribute: attrs.Attribute[str], value: str) -> None:
        encoded(value)


@attrs.frozen(eq=False)
class AsString(AsText):
    """A string, ordered by its UTF-8 bytes.

    Raises TypeError for anything but a str, UnicodeEncodeError (a ValueError) for a str that has
    no bytes.

    >>> AsString("Z") < AsString("a") < AsString("aa") < AsString("ä")
    True
    """

    def order_key(self) -> OrderKey:
        """`(rank, bytes)`."""
        return (Rank.STRING, encoded(self.value))
