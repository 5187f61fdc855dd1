"""Kinds of rooms: what stands in them and what their walls and floors are made of."""

from types import MappingProxyType
from typing import NamedTuple

from densedepth_keras.data.rendering import fittings, furniture
from densedepth_keras.data.rendering.materials import GREYS, PALES, WOODS

HOUSE_WALLS = (
    "plaster",
    "plaster",
    "plaster",
    "plain",
    "stripes",
    "damask",
    "panels",
    "bricks",
    "small_tiles",
    "floral",
)
OFFICE_WALLS = ("plaster", "plaster", "plain", "panels", "concrete")
WET_WALLS = ("tiles", "small_tiles", "large_tiles", "metro", "plaster")
BARE_WALLS = ("concrete", "bricks", "plaster", "plain")
PLAY_WALLS = ("dots", "stripes", "plaster", "plain", "floral")
HOUSE_FLOORS = (
    ("boards", WOODS),
    ("boards", WOODS),
    ("narrow_boards", WOODS),
    ("parquet", WOODS),
    ("herringbone", WOODS),
    ("tiles", PALES),
    ("small_tiles", PALES),
    ("large_tiles", GREYS[:2]),
    ("checker", PALES),
    ("carpet", None),
    ("carpet", PALES),
    ("plain", GREYS[:3]),
)
OFFICE_FLOORS = (("carpet", None), ("carpet", GREYS[:3]), ("terrazzo", PALES), ("boards", WOODS), ("plain", GREYS[:3]))
WET_FLOORS = (
    ("tiles", PALES),
    ("small_tiles", PALES),
    ("large_tiles", GREYS[:2]),
    ("checker", PALES),
    ("terrazzo", PALES),
)
BARE_FLOORS = (("concrete", GREYS[:3]), ("terrazzo", PALES), ("plain", GREYS[:3]), ("boards", WOODS))


class Kind(NamedTuple):
    """What stands along the walls and in the middle, textures of walls, textures and colours of floors, frequency."""

    along: tuple
    middle: tuple
    walls: tuple = HOUSE_WALLS
    floors: tuple = HOUSE_FLOORS
    weight: float = 1.0


KINDS = MappingProxyType(
    {
        "bedroom": Kind(
            (
                furniture.make_bed,
                furniture.make_wardrobe,
                furniture.make_night_stand,
                furniture.make_cabinet,
                furniture.make_desk,
                furniture.make_chair,
                furniture.make_night_stand,
                furniture.make_plant,
            ),
            (furniture.make_pouf, furniture.make_ball, furniture.make_chair),
        ),
        "living": Kind(
            (
                furniture.make_sofa,
                furniture.make_screen_stand,
                furniture.make_shelf,
                furniture.make_armchair,
                furniture.make_floor_lamp,
                furniture.make_plant,
                furniture.make_cabinet,
                furniture.make_shelf,
                fittings.make_piano,
            ),
            (furniture.make_low_table, furniture.make_armchair, furniture.make_pouf),
        ),
        "office": Kind(
            (
                furniture.make_desk,
                furniture.make_shelf,
                furniture.make_desk,
                furniture.make_cabinet,
                furniture.make_bin,
                furniture.make_chair,
                furniture.make_shelf,
                furniture.make_cartons,
            ),
            (furniture.make_table, furniture.make_chair, furniture.make_chair, furniture.make_dining),
            OFFICE_WALLS,
            OFFICE_FLOORS,
        ),
        "kitchen": Kind(
            (
                fittings.make_kitchen,
                fittings.make_fridge,
                fittings.make_kitchen,
                furniture.make_cabinet,
                furniture.make_bin,
                furniture.make_table,
                furniture.make_chair,
                fittings.make_washer,
            ),
            (furniture.make_dining, furniture.make_chair, fittings.make_stool),
            (*HOUSE_WALLS[:4], "metro", "tiles", "small_tiles", "bricks"),
        ),
        "dining": Kind(
            (
                furniture.make_cabinet,
                furniture.make_shelf,
                furniture.make_plant,
                furniture.make_floor_lamp,
                furniture.make_chair,
                furniture.make_cabinet,
            ),
            (furniture.make_dining, furniture.make_chair),
        ),
        "hall": Kind(
            (
                furniture.make_cabinet,
                furniture.make_cartons,
                furniture.make_chair,
                furniture.make_plant,
                furniture.make_wardrobe,
                furniture.make_bin,
            ),
            (furniture.make_cartons, furniture.make_ball, furniture.make_chair),
        ),
        "bathroom": Kind(
            (
                fittings.make_tub,
                fittings.make_basin,
                fittings.make_toilet,
                fittings.make_washer,
                furniture.make_cabinet,
                furniture.make_bin,
            ),
            (fittings.make_stool, furniture.make_bin),
            WET_WALLS,
            WET_FLOORS,
            0.7,
        ),
        "store": Kind(
            (
                fittings.make_rack,
                furniture.make_cartons,
                fittings.make_rack,
                furniture.make_cabinet,
                furniture.make_bin,
            ),
            (furniture.make_cartons, furniture.make_cartons, fittings.make_stool),
            BARE_WALLS,
            BARE_FLOORS,
            0.6,
        ),
        "children": Kind(
            (
                fittings.make_bunk,
                furniture.make_shelf,
                furniture.make_cabinet,
                furniture.make_desk,
                furniture.make_cartons,
                furniture.make_pouf,
            ),
            (furniture.make_ball, furniture.make_pouf, furniture.make_ball, furniture.make_low_table),
            PLAY_WALLS,
            weight=0.6,
        ),
    }
)
