"""Maps of a perfect network, for one-stage codecs with peaks as logits."""

NEAR = 1e-4
"""How far a probability stays from 0 and 1."""


def perfect_maps(codec, people, logits=("centre", "peaks")):
    """The targets as raw maps in float32, peaks as logits."""
    maps = {name: value.float() for name, value in codec.encode(people).maps.items() if name in codec.shapes}
    return {name: value.clamp(NEAR, 1 - NEAR).logit() if name in logits else value for name, value in maps.items()}
