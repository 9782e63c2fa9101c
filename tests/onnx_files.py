"""Networks as ONNX files, for tests that compare what onnxruntime says with what torch says."""

import warnings

import onnxruntime
import torch


def session_of(model, image, names, file):
    """Export a module that takes images, with any number of them at once, and open the file.

    Args:
        model: in evaluation mode; its forward gives a tuple.
        image: (B, 3, H, W) to trace it with.
        names: of what it gives.
        file: to write.
    """
    with warnings.catch_warnings():
        # The exporter itself warns that it is the older one and that shapes are traced.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
        # Padding is written with a slice of negative steps, which is left to the runtime.
        warnings.filterwarnings("ignore", message="Constant folding", category=UserWarning)
        torch.onnx.export(
            model,
            (image,),
            str(file),
            dynamo=False,
            opset_version=17,
            input_names=["image"],
            output_names=list(names),
            dynamic_axes={name: {0: "batch"} for name in ("image", *names)},
        )
    return onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
