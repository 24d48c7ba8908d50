"""Secondary indexes: from the values of bins to records.

    IndexDefinition    what an index is of
    SecondaryIndexes   the indexes of a namespace, kept exact by its changes

`asd.space.index_builder` fills new indexes in the background, `asd.space.index_metadata` creates
and drops them by way of the system metadata.
"""

from asd.sindex.definition import IndexDefinition, KeyType, Source
from asd.sindex.indexes import SecondaryIndex, SecondaryIndexes

__all__ = ["IndexDefinition", "KeyType", "Source", "SecondaryIndex", "SecondaryIndexes"]
