"""EventFile: TensorBoard's files, written step by step with nothing left in a buffer.

tensorboardX gives the messages and their checksum. Its writer is not used: that one writes from a thread, where a full
disk is seen by nobody, and names its files by the second, so that a quick resume would overwrite them.
"""

import os
import struct
import time
from pathlib import Path

from densedepth_keras.callbacks.writing import named_in_errors

MISSING = (
    "TensorBoard's files need tensorboardX, which is missing: pip install densedepth_keras[tensorboard], or leave "
    "out --tensorboard. Received: tensorboard=True"
)


class EventFile:
    """The events of one process; the folder of a run holds one file for each process that worked on it.

    Args:
        folder: made where it is not there.

    Raises:
        ImportError: tensorboardX is not installed.
    """

    def __init__(self, folder: Path):
        try:
            from tensorboardX.proto.event_pb2 import Event, SessionLog
            from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata
            from tensorboardX.record_writer import masked_crc32c
            from tensorboardX.summary import text
        except ImportError as error:
            raise ImportError(MISSING) from error
        self._event, self._session, self._checksum = Event, SessionLog, masked_crc32c
        self._summary, self._metadata, self._text = Summary, SummaryMetadata, text
        self.folder, self.path = folder, None

    def begin(self, step: int) -> bool:
        """Makes the file. What earlier processes wrote for this step and later ones is hidden from then on.

        Returns:
            Whether it is the first file of the folder.

        Raises:
            OSError: the file cannot be written.
        """
        is_first = not any(self.folder.glob("*tfevents*"))
        self.path = self.folder / f"events.out.tfevents.{time.time():.6f}.{os.getpid()}"
        with named_in_errors("TensorBoard's file", self.path):
            self.folder.mkdir(exist_ok=True)
        self._append(file_version="brain.Event:2")
        if not is_first:
            self._append(step=step, session_log=self._session(status=self._session.START))
        return is_first

    def write(self, step: int, values: list) -> None:
        """Appends values of one step.

        Raises:
            OSError: the file cannot be written.
        """
        self._append(step=step, summary=self._summary(value=values))

    def scalar(self, tag: str, value: float, description: str = ""):
        """A value of a curve."""
        return self._summary.Value(tag=tag, simple_value=value, metadata=self._described(description))

    def picture(self, tag: str, file: bytes, size: tuple[int, int], description: str = ""):
        """A PNG file of `size`, (height, width)."""
        image = self._summary.Image(height=size[0], width=size[1], colorspace=3, encoded_image_string=file)
        return self._summary.Value(tag=tag, image=image, metadata=self._described(description))

    def text(self, tag: str, markdown: str):
        """A text in Markdown."""
        return self._text(tag, markdown).value[0]

    def _described(self, description):
        return self._metadata(summary_description=description)

    def _append(self, **fields):
        record = self._framed(self._event(wall_time=time.time(), **fields).SerializeToString())
        with named_in_errors("TensorBoard's file", self.path), open(self.path, "ab") as file:
            file.write(record)

    def _framed(self, data):
        """A record of TensorFlow's TFRecord format: length, its checksum, data, its checksum; little-endian."""
        length = struct.pack("<Q", len(data))
        checksums = [struct.pack("<I", self._checksum(part)) for part in (length, data)]
        return length + checksums[0] + data + checksums[1]
