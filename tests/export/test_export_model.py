"""Networks exported and asked in the runtimes that they are for."""

import errno
import json
import os
import signal
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from densedepth_keras.config.deploy import ExportConfig
from densedepth_keras.export import Parity, export_model, exporting
from densedepth_keras.export.network import load_network
from densedepth_keras.prediction import load_model

METRE_TOLERANCE = 1e-4
"""float32 in another order of summing, at up to 10 m; a hundredth of what `export_model` lets through."""

pytest.importorskip("onnxruntime")
pytest.importorskip("tf2onnx")
pytest.importorskip("ai_edge_litert")


def _exported(checkpoint, folder, name, **arguments):
    lines = []
    config = ExportConfig(checkpoint=str(checkpoint), output=str(folder / name), **arguments)
    return export_model(config, lines.append), "\n".join(lines)


def _images(*shape):
    return np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)


def _metres(path, images):
    """What the network says itself, by Keras alone."""
    return np.clip(load_model(path)(images.astype("float32"), training=False).numpy(), 0.1, 10.0)


def test_savedmodel_serves_any_batch_in_metres(fixed_run, tmp_path):
    import tensorflow as tf

    exported, text = _exported(fixed_run, tmp_path, "net", format="savedmodel", limit=2)
    assert exported.parity.max_difference < METRE_TOLERANCE
    assert "rendered rooms" in text
    serve = tf.saved_model.load(str(exported.path)).signatures["serving_default"]
    images = _images(3, 64, 96)
    depth = serve(image=tf.constant(images))["depth"].numpy()
    expected = _metres(fixed_run, images)
    assert depth.std() > 0.05  # or the comparison would say nothing
    np.testing.assert_allclose(depth, expected, atol=METRE_TOLERANCE)
    facts = json.loads((exported.path / "assets.extra" / "densedepth.json").read_text())
    assert (facts["unit"], facts["min_depth"], facts["max_depth"]) == ("metres", "0.1", "10")


def test_onnx_of_an_open_network_takes_any_size_and_batch(open_network, tmp_path, photos):
    import onnx
    import onnxruntime

    exported, text = _exported(open_network, tmp_path, "net.onnx", images=(str(photos),), limit=2)
    assert exported.parity.max_difference < METRE_TOLERANCE
    assert exported.bytes == exported.path.stat().st_size
    assert "ONNX Runtime" in text
    assert "any x any" in text
    session = onnxruntime.InferenceSession(str(exported.path), providers=["CPUExecutionProvider"])
    (image,), (depth,) = session.get_inputs(), session.get_outputs()
    assert (image.name, image.shape, image.type) == ("image", ["batch", "height", "width", 3], "tensor(uint8)")
    assert (depth.name, depth.shape, depth.type) == (
        "depth",
        ["batch", "depth_height", "depth_width", 1],
        "tensor(float)",
    )
    for shape in ((1, 64, 96), (2, 77, 45)):
        images = _images(*shape)
        found = session.run(None, {"image": images})[0]
        np.testing.assert_allclose(found, _metres(open_network, images), atol=METRE_TOLERANCE)
    model = onnx.load(exported.path)
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert (facts["unit"], facts["min_depth"], facts["max_depth"]) == ("metres", "0.1", "10")
    assert {entry.domain: entry.version for entry in model.opset_import}[""] == 18


def test_open_network_can_be_fixed(model_at, tmp_path):
    import onnxruntime

    path = model_at(tmp_path / "net.keras")
    exported, _ = _exported(path, tmp_path, "net.onnx", image_size=(50, 70), limit=1)
    session = onnxruntime.InferenceSession(str(exported.path), providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == ["batch", 50, 70, 3]
    assert session.get_outputs()[0].shape[1:] == [50, 70, 1]


def _litert(path):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    return interpreter


def test_litert_needs_builtin_operations_alone_and_says_its_unit(fixed_run, tmp_path):
    exported, text = _exported(fixed_run, tmp_path, "net.tflite", format="litert", limit=2)
    assert exported.parity.max_difference < METRE_TOLERANCE
    assert "LiteRT" in text
    interpreter = _litert(exported.path)  # would raise on operations of TensorFlow's
    images = _images(1, 64, 96)
    depth = interpreter.get_signature_runner("serving_default")(image=images)["depth"]
    np.testing.assert_allclose(depth, _metres(fixed_run, images), atol=METRE_TOLERANCE)
    with zipfile.ZipFile(exported.path) as archive:
        assert json.loads(archive.read("densedepth.json"))["unit"] == "metres"


def test_litert_of_an_open_network_takes_any_size(model_at, tmp_path):
    path = model_at(tmp_path / "net.keras")
    exported, _ = _exported(path, tmp_path, "net.tflite", format="litert", limit=2)
    images = _images(1, 77, 45)
    depth = _litert(exported.path).get_signature_runner()(image=images)["depth"]
    np.testing.assert_allclose(depth, _metres(path, images), atol=METRE_TOLERANCE)


def test_int8_keeps_the_metres_in_float(fixed_run, tmp_path, photos):
    exported, _ = _exported(
        fixed_run, tmp_path, "net.tflite", format="litert", quantize="int8", images=(str(photos),), tolerance=1.0
    )
    interpreter = _litert(exported.path)
    (image,), (depth,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (image["dtype"], depth["dtype"]) == (np.uint8, np.float32)
    tensors = interpreter.get_tensor_details()
    kinds = ("/depth_", "/block_2_", "/block_4_")  # the last layers; a quarter, and an eighth, of the image's size
    dtypes = {kind: {each["dtype"] for each in tensors if kind in each["name"]} for kind in kinds}
    assert np.int8 not in dtypes["/depth_"]
    assert dtypes["/block_2_"] == {np.float32}
    assert np.int8 in dtypes["/block_4_"]
    assert np.float32 not in dtypes["/block_4_"]
    answer = interpreter.get_signature_runner()(image=_images(1, 64, 96))["depth"]
    assert len(np.unique(answer)) > 256  # more than 8 bits hold
    assert exported.bytes < 4e6  # 9 MB in float32
    with zipfile.ZipFile(exported.path) as archive:
        assert json.loads(archive.read("densedepth.json"))["quantize"] == "int8"


@pytest.mark.parametrize(("quantize", "dtype"), [("float16", np.float16), ("dynamic", np.int8)])
def test_weights_alone_are_smaller(model_at, tmp_path, quantize, dtype):
    path = model_at(tmp_path / "net.keras", image_size=(32, 48))
    exported, _ = _exported(path, tmp_path, "net.tflite", format="litert", quantize=quantize, limit=1)
    interpreter = _litert(exported.path)
    dtypes = {tensor["dtype"] for tensor in interpreter.get_tensor_details()}
    assert {dtype, np.float32} <= dtypes
    (image,), (depth,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (image["dtype"], depth["dtype"]) == (np.uint8, np.float32)


@pytest.mark.parametrize("name", ["onnx", "litert"])
def test_unet_at_a_size_that_nothing_divides(model_at, tmp_path, name):
    path = model_at(tmp_path / "unet.keras", image_size=(45, 51))
    exported, _ = _exported(path, tmp_path, "out", format=name, limit=2)
    assert exported.parity.max_difference < METRE_TOLERANCE


def test_mixed_precision_and_companions_are_left_behind(model_at, tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        path = model_at(tmp_path / "net.keras", image_size=(48, 64), deep_supervision=1)
    finally:
        keras.config.set_dtype_policy("float32")
    assert "bfloat16" in {layer.compute_dtype for layer in load_model(path).layers}
    assert {layer.compute_dtype for layer in load_network(path).model.layers} == {"float32"}
    exported, _ = _exported(path, tmp_path, "net.onnx", limit=2)
    assert exported.parity.max_difference < METRE_TOLERANCE


def test_answers_are_clipped_to_the_range(model_at, tmp_path):
    path = model_at(tmp_path / "net.keras", image_size=(32, 32), min_depth=2.0, max_depth=2.1)
    network = load_network(path)
    images = _images(1, 32, 32)
    raw = load_model(path)(images, training=False).numpy()
    assert raw.max() > 2.1 or raw.min() < 2.0  # a quarter of 2.1 m would be too near
    depth = network.metres(images)["depth"].numpy()
    assert depth.min() >= np.float32(2.0)
    assert depth.max() <= np.float32(2.1)


def test_nothing_is_left_where_the_numbers_differ(model_at, tmp_path, monkeypatch):
    path = model_at(tmp_path / "net.keras", image_size=(32, 32))
    monkeypatch.setattr(exporting, "compare", lambda *_: Parity(1, 0.5, 0.1, 1.0, 1.0, "runtime 1"))
    with pytest.raises(ValueError, match=r"0\.500000 m, allowed are 0\.001 m"):
        _exported(path, tmp_path / "new", "net", format="savedmodel", limit=1)
    assert list((tmp_path / "new").iterdir()) == []


def _failing(error):
    def fail(*_, **__):
        raise error

    return fail


FULL = "No space left on device"


@pytest.mark.parametrize(
    ("name", "writer", "error"),
    [
        # As TensorFlow says it, with the names of its own parts
        ("savedmodel", "save", f"{{{{function_node __wrapped__SaveV2}}}} /x/.partial-1/part-0; {FULL} [Op:SaveV2]"),
        ("litert", "save", f"{{{{function_node __wrapped__SaveV2}}}} /tmp/y/part-0; {FULL} [Op:SaveV2]"),
        ("litert", "write_bytes", OSError(errno.ENOSPC, FULL)),
        ("onnx", "write_bytes", OSError(errno.ENOSPC, FULL)),
    ],
)
def test_full_disk_is_one_line_that_names_the_output(model_at, tmp_path, monkeypatch, name, writer, error):
    import tensorflow as tf

    path = model_at(tmp_path / "net.keras", image_size=(32, 32))
    if writer == "save":
        error = tf.errors.ResourceExhaustedError(None, None, error)
        monkeypatch.setattr(tf.saved_model, "save", _failing(error))
    else:
        monkeypatch.setattr(Path, "write_bytes", _failing(error))
    with pytest.raises(OSError, match=rf"could not be written.*{FULL}.*Received: output='.*new/net'") as caught:
        _exported(path, tmp_path / "new", "net", format=name, limit=1)
    assert "function_node" not in str(caught.value)
    assert list((tmp_path / "new").iterdir()) == []


def test_what_a_format_cannot_hold_is_one_line(model_at, tmp_path, monkeypatch):
    import tensorflow as tf

    path = model_at(tmp_path / "net.keras", image_size=(32, 32))
    monkeypatch.setattr(tf.saved_model, "save", _failing(RuntimeError("no such operation\nand a page more")))
    with pytest.raises(ValueError, match=r"cannot be written as litert: no such operation\. Received: format='litert'"):
        _exported(path, tmp_path / "new", "net", format="litert", limit=1)
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_sigterm_leaves_nothing(model_at, tmp_path, monkeypatch):
    path = model_at(tmp_path / "net.keras", image_size=(32, 32))

    def stop(*_):
        assert list((tmp_path / "new").iterdir())  # it was being written
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(exporting, "compare", stop)
    with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
        _exported(path, tmp_path / "new", "net", format="onnx", limit=1)
    assert list((tmp_path / "new").iterdir()) == []


def test_run_behind_images_is_not_taken_for_a_folder_of_pictures(model_at, tmp_path):
    """`--images photos RUN`: the flag takes both."""
    for run in ("named", "newest"):
        (tmp_path / run).mkdir()
        model_at(tmp_path / run / "model.keras", image_size=(32, 32))
    Image.new("RGB", (64, 64)).save(tmp_path / "named" / "samples.png")
    for named in ("named", "named/model.keras"):
        config = ExportConfig(output_dir=str(tmp_path), images=(str(tmp_path / named),), limit=1)
        with pytest.raises(ValueError, match=r"no picture but a run.*before the flags.*images='.*named"):
            export_model(config)


def test_run_behind_image_size_is_told_where_it_belongs():
    with pytest.raises(ValueError, match=r"before the flags\. Received: image_size=\('240', '320', 'runs/a'\)"):
        ExportConfig(image_size=("240", "320", "runs/a"))


def test_no_run_yet_is_told_in_words_of_this_command(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No run below .*densedepth export RUN") as caught:
        export_model(ExportConfig(output_dir=str(tmp_path)))
    assert "--checkpoint" not in str(caught.value)


def test_newest_run_is_used_and_named(model_at, tmp_path):
    run = tmp_path / "my_run"
    run.mkdir()
    model_at(run / "model.keras", image_size=(32, 32))
    lines = []
    exported = export_model(ExportConfig(output_dir=str(tmp_path), format="savedmodel", limit=1), lines.append)
    assert exported.path == run / "model-savedmodel"
    assert lines[0] == f"Newest run: {run}"
    assert lines[-1] == f"Written: {exported.path}; agrees with Keras within the tolerance"


@pytest.mark.parametrize(("size", "shown"), [("dynamic", "dynamic"), ((64, 128), r"\(64, 128\)")])
def test_fixed_network_refuses_other_sizes(fixed_run, size, shown):
    with pytest.raises(ValueError, match=f"one size of images, 64 96.*image_size={shown}"):
        load_network(fixed_run, size)
    assert load_network(fixed_run, (64, 96)).image_size == (64, 96)


def test_int8_needs_pictures_and_one_size(open_network, photos, tmp_path):
    arguments = {"format": "litert", "quantize": "int8"}
    with pytest.raises(ValueError, match=r"--images.*images=\(\)"):
        _exported(open_network, tmp_path, "net.tflite", **arguments)
    with pytest.raises(ValueError, match="--image-size H W"):
        _exported(open_network, tmp_path, "net.tflite", images=(str(photos),), **arguments)


def test_other_backends_are_sent_to_tensorflow(fixed_run, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match=r"set KERAS_BACKEND=tensorflow.*KERAS_BACKEND=jax"):
        load_network(fixed_run)


def test_checkpoint_of_something_else_is_refused(tmp_path):
    (tmp_path / "empty.keras").touch()
    with pytest.raises(ValueError, match=r"empty\.keras"):
        _exported(tmp_path / "empty.keras", tmp_path, "net.onnx")
    with pytest.raises(FileNotFoundError, match="No model there"):
        _exported(tmp_path / "none", tmp_path, "net.onnx")


@pytest.mark.parametrize(("name", "package"), [("onnx", "tf2onnx"), ("litert", "ai_edge_litert.interpreter")])
def test_missing_packages_are_named(fixed_run, tmp_path, monkeypatch, name, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=r"pip install densedepth_keras\[export\]"):
        _exported(fixed_run, tmp_path, "net", format=name)
    assert list(tmp_path.iterdir()) == []
