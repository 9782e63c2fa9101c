"""Sample to sample: geometry, colour, information dropping."""
