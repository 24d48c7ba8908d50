"""The cluster's work on records: copies, requests for other nodes, partitions on the move."""
