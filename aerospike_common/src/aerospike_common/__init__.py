"""aerospike_common."""
