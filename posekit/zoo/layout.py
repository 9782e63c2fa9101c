"""What a weights folder consists of."""

from __future__ import annotations

FORMAT = 2
"""Version of ``config.json``."""
CONFIG, TENSORS = "config.json", "model.safetensors"
CARD = "README.md"
PICTURE = "errors.svg"
"""The picture in the card of what the model gets wrong, where there is one."""
ONNX = "model.onnx"
"""The exported model, where there is one: run without torch."""
