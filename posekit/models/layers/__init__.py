"""The small pieces that several backbones and necks are made of."""
