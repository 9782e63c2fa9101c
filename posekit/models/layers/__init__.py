"""The small pieces that several trunks and necks are made of."""
