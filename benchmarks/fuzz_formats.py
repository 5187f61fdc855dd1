"""Small, whole data sets of every format the readers take, for fuzz_readers.py to damage."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from PIL import Image

from densedepth_keras.data import load_dataset
from densedepth_keras.data.sample import Source

SIZE = (32, 40)


class Format(NamedTuple):
    """One kind of data set.

    Attributes:
        name: of the format.
        write: `(folder, rng)`: writes the data set.
        open: `(folder) -> Source`.
        checksummed: suffixes of files in which no changed depth may pass.
    """

    name: str
    write: Callable[[Path, np.random.Generator], None]
    open: Callable[[Path], Source]
    checksummed: tuple[str, ...] = ()


def picture(rng):
    smooth = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return Image.fromarray(smooth).resize(SIZE[::-1], Image.Resampling.BICUBIC)


def metres(rng):
    return np.round(rng.uniform(0.5, 9.5, SIZE), 3).astype(np.float32)


def encoded(picture_or_array, kind):
    stream = io.BytesIO()
    picture_or_array = (
        picture_or_array if isinstance(picture_or_array, Image.Image) else Image.fromarray(picture_or_array)
    )
    picture_or_array.save(stream, kind)
    return stream.getvalue()


def millimetres(depth):
    return np.round(depth * 1000).astype(np.uint16)


def save_pfm(path, depth):
    header = f"Pf\n{depth.shape[1]} {depth.shape[0]}\n-1.0\n".encode()
    path.write_bytes(header + depth[::-1].astype("<f4").tobytes())


def save_h5(path, depth):
    with h5py.File(path, "w") as file:
        file.create_dataset("depth", data=depth, fletcher32=True)


DEPTH_WRITERS = {
    ".png": lambda path, depth: path.write_bytes(encoded(millimetres(depth), "PNG")),
    ".tiff": lambda path, depth: Image.fromarray(depth).save(path, compression="tiff_deflate"),
    ".npy": lambda path, depth: np.save(path, depth),
    ".npz": lambda path, depth: np.savez_compressed(path, depth=depth),
    ".pfm": save_pfm,
    ".h5": save_h5,
}


def folder_format(image_kind, depth_suffix, table="csv"):
    """Own data: two rows in a list."""

    def write(folder, rng):
        rows = []
        for index in range(2):
            image, depth = f"{index}.{image_kind}", f"{index}_depth{depth_suffix}"
            picture(rng).save(folder / image)
            DEPTH_WRITERS[depth_suffix](folder / depth, metres(rng))
            rows.append((image, depth))
        unit = "mm" if depth_suffix == ".png" else "m"
        (folder / "dataset.json").write_text(json.dumps({"depth_unit": unit, "max_depth": 10, "name": "fuzz"}))
        lines = {
            "csv": lambda: ["image,depth", *(",".join(row) for row in rows)],
            "tsv": lambda: ["image\tdepth", *("\t".join(row) for row in rows)],
            "jsonl": lambda: [json.dumps(dict(zip(("image", "depth"), row, strict=True))) for row in rows],
        }[table]()
        (folder / f"train.{table}").write_text("\n".join(lines) + "\n")

    # HDF5's checksums are of chunks alone: damage where it describes them can make it read something else
    sums = (".png", ".npz") if depth_suffix in (".png", ".npz") else ()
    name = f"folder: {table}, {image_kind}, {depth_suffix[1:]}"
    return Format(name, write, lambda folder: load_dataset("folder", data_dir=folder), sums)


def write_h5_pairs(folder, rng):
    (folder / "train").mkdir()
    for index in range(2):
        with h5py.File(folder / "train" / f"{index}.h5", "w") as file:
            file.create_dataset("rgb", data=np.asarray(picture(rng)).transpose(2, 0, 1))
            file.create_dataset("depth", data=metres(rng))


def write_mat(folder, rng):
    with h5py.File(folder / "nyu_depth_v2_labeled.mat", "w", userblock_size=512) as file:
        images = np.stack([np.asarray(picture(rng)).transpose(2, 1, 0) for _ in range(4)])
        depths = np.stack([metres(rng).T for _ in range(4)])
        file.create_dataset("images", data=images, chunks=(1, *images.shape[1:]), compression="gzip")
        for name in ("depths", "rawDepths"):
            file.create_dataset(name, data=depths, chunks=(1, *depths.shape[1:]), compression="gzip")


def write_zip(folder, rng):
    with zipfile.ZipFile(folder / "nyu_data.zip", "w", zipfile.ZIP_STORED) as archive:
        rows = []
        for index in range(6):
            image, depth = (f"data/nyu2_train/room_out/{index}.{kind}" for kind in ("jpg", "png"))
            archive.writestr(image, encoded(picture(rng), "JPEG"))
            archive.writestr(depth, encoded(np.round(metres(rng) / 10 * 255).astype(np.uint8), "PNG"))
            rows.append(f"{image},{depth}")
        archive.writestr("data/nyu2_train.csv", "\n".join(rows) + "\n")


def eigen_writer(compression):
    def write(folder, rng):
        arrays = {
            "eigen_test_rgb": np.stack([np.asarray(picture(rng)) for _ in range(2)]),
            "eigen_test_depth": np.stack([metres(rng) for _ in range(2)]),
            "eigen_test_crop": np.array([20, 459, 24, 615]),
        }
        with zipfile.ZipFile(folder / "nyu_test.zip", "w", compression) as archive:
            for name, array in arrays.items():
                stream = io.BytesIO()
                np.save(stream, array)
                archive.writestr(f"{name}.npy", stream.getvalue())

    return write


def write_kitti(folder, rng):
    date, drive = "2011_09_26", "2011_09_26_drive_0001_sync"
    raw = folder / date / drive / "image_02" / "data"
    truth = folder / "train" / drive / "proj_depth" / "groundtruth" / "image_02"
    raw.mkdir(parents=True)
    truth.mkdir(parents=True)
    rows = []
    for frame in range(5, 7):
        picture(rng).save(raw / f"{frame:010d}.png")
        depth = np.where(rng.random(SIZE) < 0.2, metres(rng) * 8, 0)
        Image.fromarray(np.round(depth * 256).astype(np.uint16)).save(truth / f"{frame:010d}.png")
        rows.append(f"{date}/{drive} {frame} l")
    (folder / "eigen_train_files.txt").write_text("\n".join(rows) + "\n")


FORMATS = (
    folder_format("jpg", ".png"),
    folder_format("png", ".tiff", "tsv"),
    folder_format("jpg", ".npy", "jsonl"),
    folder_format("webp", ".npz"),
    folder_format("bmp", ".pfm"),
    folder_format("tiff", ".h5"),
    Format("folder: h5 pairs", write_h5_pairs, lambda folder: load_dataset("folder", data_dir=folder, depth_unit="m")),
    Format("nyu-labeled", write_mat, lambda folder: load_dataset("nyu-labeled", data_dir=folder)),
    Format("nyu-csv", write_zip, lambda folder: load_dataset("nyu-csv", data_dir=folder), (".zip",)),
    Format(
        "nyu-csv: eigen, deflated",
        eigen_writer(zipfile.ZIP_DEFLATED),
        lambda folder: load_dataset("nyu-csv", "test", data_dir=folder / "nyu_test.zip"),
        (".zip",),
    ),
    Format(
        "nyu-csv: eigen, stored",
        eigen_writer(zipfile.ZIP_STORED),
        lambda folder: load_dataset("nyu-csv", "test", data_dir=folder / "nyu_test.zip"),
        (".zip",),
    ),
    Format("kitti", write_kitti, lambda folder: load_dataset("kitti", data_dir=folder), (".png",)),
)
