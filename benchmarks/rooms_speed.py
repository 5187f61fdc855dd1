"""How fast are rooms rendered? Scenes per second on one core, drawn and rendered, at three sizes.

    python benchmarks/rooms_speed.py

renders the same scenes several times at 240x320, 480x640 and 48x64 in turn, in one thread, and takes every scene's
median: of wall-clock time, and of the thread's own processor time, which other programs on the machine disturb less.
Prints JSON and writes it to benchmarks/results/rooms_speed.json. Takes half a minute.
"""

import argparse
import random
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from record import record

from densedepth_keras.data.rendering import draw_scene, render

IMAGE_SIZES = ((240, 320), (480, 640), (48, 64))


def measure(state, image_size):
    """Wall-clock and thread seconds for one scene, drawn and, with an image size, rendered."""
    wall, thread = time.perf_counter(), time.thread_time()
    scene = draw_scene(random.Random(state))
    if image_size:
        render(scene, image_size)
    return time.perf_counter() - wall, time.thread_time() - thread


def summarise(times):
    """Scenes per second and milliseconds per scene from `{scene: [(wall, thread), ...]}`."""
    wall, thread = (
        statistics.mean(statistics.median(row[clock] for row in rows) for rows in times.values()) for clock in (0, 1)
    )
    return {
        "scenes_per_second": round(1 / wall, 1),
        "scenes_per_thread_second": round(1 / thread, 1),
        "milliseconds_wall": round(1000 * wall, 2),
        "milliseconds_thread": round(1000 * thread, 2),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5, help="times each scene is rendered, behind one to warm up")
    options = parser.parse_args()
    names = [f"{height}x{width}" for height, width in IMAGE_SIZES]
    times = {name: {scene: [] for scene in range(options.scenes)} for name in ("drawing the scene alone", *names)}
    for number in range(options.rounds + 1):
        for scene in range(options.scenes):
            state = f"0/train/{scene}"
            for name, size in zip(times, (None, *IMAGE_SIZES), strict=True):
                spent = measure(state, size)
                if number:
                    times[name][scene].append(spent)
    result = {"scenes": options.scenes, "rounds": options.rounds}
    result |= {name: summarise(values) for name, values in times.items()}
    command = f"python benchmarks/rooms_speed.py --scenes {options.scenes} --rounds {options.rounds}"
    record("rooms_speed", command, result)


if __name__ == "__main__":
    main()
