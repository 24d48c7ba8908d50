"""Records at rest, and as expressions see them."""
