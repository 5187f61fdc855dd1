"""ONNX: one file for ONNX Runtime and whatever else reads it; through tf2onnx."""

from pathlib import Path

import numpy as np

from densedepth_keras.export.network import INPUT, OUTPUT, Network

OPSET = 18
"""The newest that tf2onnx writes; ONNX Runtime reads it from 1.14 on."""


def check_onnx() -> None:
    """Raises an ImportError where a package is missing."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import tf2onnx  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"ONNX needs packages that are missing ({error}): pip install densedepth_keras[export]. "
            "Received: format='onnx'"
        ) from error


def write_onnx(network: Network, path: Path, *, quantize: str = "none") -> None:
    """Writes the file: `image` in, `depth` out, NHWC, batch open."""
    import onnx
    import tf2onnx

    from densedepth_keras.export.savedmodel import traced

    function = traced(network)
    model, _ = tf2onnx.convert.from_function(function, input_signature=function.input_signature, opset=OPSET)
    _name_axes(model.graph, network)
    model.producer_name = "densedepth_keras"
    onnx.helper.set_model_props(model, network.facts(quantize))
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def _name_axes(graph, network):
    """tf2onnx numbers the axes that are open; says `batch` and so on instead."""
    del graph.value_info[:]  # repeats the numbers; runtimes infer shapes themselves
    for value, names in (
        (graph.input[0], ("batch", "height", "width", "channels")),
        (graph.output[0], ("batch", "depth_height", "depth_width", "one")),
    ):
        for axis, name in zip(value.type.tensor_type.shape.dim, names, strict=True):
            if not axis.HasField("dim_value"):
                axis.dim_param = name


def open_onnx(path: Path):
    """The written network as a function: uint8 `(B, H, W, 3)` to float32 `(B, h, w)`, metres."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def answer(images: np.ndarray) -> np.ndarray:
        return session.run([OUTPUT], {INPUT: images})[0][..., 0]

    return answer, f"ONNX Runtime {onnxruntime.__version__}"
