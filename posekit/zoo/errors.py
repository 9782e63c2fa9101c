"""The error of models that cannot be used."""


class WeightsError(ValueError):
    """A model's folder that is missing, incomplete, or made for another network."""
