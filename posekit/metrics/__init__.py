"""How good poses are: pure functions on arrays."""
