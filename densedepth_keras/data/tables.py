"""Lists of pairs: CSV, TSV and JSON lines."""

import csv
import io
import json
import os
from pathlib import Path
from typing import NamedTuple

from densedepth_keras.data.hdf5 import is_hdf5
from densedepth_keras.data.pictures import stored_bytes

COLUMNS = ("image", "depth")


class Row(NamedTuple):
    """One pair of files, and what to call it in a message; one file twice where it holds both."""

    image: Path
    depth: Path
    name: str


def read_table(table: Path) -> list[Row]:
    """The rows of a list in UTF-8, by its suffix:

    - `.csv`, `.tsv`: columns `image` and `depth`. A header is optional; with one, the columns may stand anywhere
      among others.
    - `.jsonl`: an object a line, `{"image": "...", "depth": "..."}`; other keys are ignored.

    Paths are relative to the list's folder and inside it. A HDF5 file that holds image and depth needs no second
    column. Empty lines are skipped; a byte-order mark and CRLF do no harm. No file that a row names is looked at.

    Raises:
        ValueError: not such a list, no row, a row that names no pair or leaves the folder. Names the row.
    """
    try:
        text = stored_bytes(table).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = error.object[: error.start].count(b"\n") + 1
        raise ValueError(f"Row {number} of {table.name} is not in UTF-8: {error.reason}. Received: {table}") from error
    lines = _json_lines(table, text) if table.suffix == ".jsonl" else _separated(table, text)
    if not lines:
        raise ValueError(f"The split is empty: no row in {table.name}. Received: {table}")
    return [_row(table, number, values) for number, values in lines]


def _separated(table, text):
    """Row number and the values of the two columns, of a CSV or TSV."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t" if table.suffix == ".tsv" else ",")
    lines = []
    try:
        for number, line in enumerate(reader, start=1):
            cells = [cell.strip() for cell in line]
            if any(cells):
                lines.append((number, cells))
    except csv.Error as error:
        raise ValueError(f"Row {len(lines) + 1} or later of {table.name}: {error}. Received: {table}") from error
    columns = (0, 1)
    if lines:
        header = [cell.lower() for cell in lines[0][1]]
        if "image" in header:
            if any(header.count(column) > 1 for column in COLUMNS):
                raise ValueError(
                    f"Row {lines[0][0]} of {table.name}: the header names a column twice. Received: "
                    f"{','.join(header)[:200]!r}"
                )
            columns = tuple(header.index(name) if name in header else len(header) for name in COLUMNS)
            lines.pop(0)
        elif not any("." in cell for cell in header):
            raise ValueError(
                f"Row {lines[0][0]} of {table.name}: expected a header with the columns image,depth or none. "
                f"Received: {','.join(header)[:200]!r}"
            )
    return [(number, [cells[c] if c < len(cells) else "" for c in columns]) for number, cells in lines]


def _json_lines(table, text):
    lines = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"Row {number} of {table.name} is not JSON: {error}. Received: {line[:200]!r}") from error
        values = [entry.get(name, "") for name in COLUMNS] if isinstance(entry, dict) else [None]
        if not all(isinstance(value, str) for value in values):
            raise ValueError(
                f'Row {number} of {table.name}: expected {{"image": "...", "depth": "..."}}, two texts. '
                f"Received: {line[:200]!r}"
            )
        lines.append((number, values))
    return lines


def _row(table, number, values):
    name = f"Row {number} of {table.name}"
    image, depth = values
    if is_hdf5(image) and depth in ("", image):
        depth = image
    if not image or not depth:
        between = {".csv": ", a comma between them", ".tsv": ", a tab between them"}.get(table.suffix, "")
        raise ValueError(
            f"{name}: expected two columns, image and depth{between}. Received: image={image!r}, depth={depth!r}"
        )
    if is_hdf5(image) and depth != image:
        raise ValueError(f"{name}: a HDF5 file holds image and depth. Received: image={image!r}, depth={depth!r}")
    for path in (image, depth):
        inside = os.path.normpath(path)
        if os.path.isabs(path) or os.path.splitdrive(path)[0] or inside.split(os.sep)[0] == os.pardir:
            raise ValueError(f"{name}: the path must be relative to {table.parent} and inside it. Received: {path!r}")
    return Row(table.parent / image, table.parent / depth, name)
