"""Photos to try: rooms that the package renders itself."""

from pathlib import Path

from densedepth_keras.data.rooms import Rooms
from densedepth_keras.outputs import write_picture

EXAMPLE_SIZE = (480, 640)

_ROOMS = {"office": 2, "living_room": 7, "brick_room": 8}
"""Name -> scene of the test split, which no network was trained on."""


def write_examples(folder: Path) -> list[Path]:
    """Renders the rooms into a new folder, a third of a second for all; their paths."""
    folder.mkdir(parents=True)
    rooms = Rooms("test", image_size=EXAMPLE_SIZE)
    paths = []
    for name, number in _ROOMS.items():
        paths.append(folder / f"{name}.png")
        write_picture(paths[-1], rooms[number].image)
    return paths
