"""How good a model is: figures of a predictor on labelled images, and what they are worth. Torch-free."""
