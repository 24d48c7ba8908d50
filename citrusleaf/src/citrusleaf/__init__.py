"""citrusleaf."""
