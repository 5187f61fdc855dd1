"""Which of NYU Depth v2's 1449 labelled frames belong to which split."""

FRAMES = 1449
"""Densely labelled frames of the data set."""

PARTITIONS = ("official", "paper")
"""`official`: 795 / 654, no scene on both sides; `paper`: Krishna & Beura's first 1000, then two halves of the rest."""

# Frame numbers from 0 on, inclusive runs. Source: splits.mat of the data set's page (testNdxs - 1).
_OFFICIAL_TEST = """
    0-1 8 13-17 20 27-42 45-46 55-56 58-62 75-78 83-90 116-118 124-128 130-133 136 152-154 166-168 170-175 179-201
    206-211 219-221 249 263 270-272 278-284 295-301 309-311 314-316 324-334 350-351 354-363 383-389 394-396 410-413
    429-434 440-447 461-465 468-476 507-512 514-525 530-532 536-538 548-550 554-570 578-582 590-593 602-606 611-612
    616-620 632-637 643-644 649-650 655-657 662-663 667-672 675-680 685-689 692-693 696-698 705-712 716-717 723-727
    730-733 742-743 758-786 799-803 809-813 820-822 832-845 849-851 856-861 868-870 905-907 916-918 925-927 931-934
    944-946 958-961 964-966 969-976 990-994 1000-1003 1009-1011 1020-1022 1031-1033 1037-1038 1047-1048 1051-1052
    1056-1057 1074-1083 1087-1095 1097-1103 1105-1108 1116-1118 1122-1130 1134-1135 1143-1157 1161-1166 1169-1170
    1173-1175 1178-1183 1191-1195 1200-1211 1215-1219 1225-1229 1232-1234 1246-1249 1253-1264 1274-1279 1284-1294
    1296-1298 1301-1307 1313-1314 1328-1331 1334-1339 1346-1348 1352-1355 1363-1364 1367-1368 1383-1390 1393-1400
    1406-1413 1420-1423 1429-1432 1440-1448
"""


def official_test() -> list[int]:
    """The 654 test frames, from 0 on, ascending."""
    runs = (run.split("-") for run in _OFFICIAL_TEST.split())
    return [frame for run in runs for frame in range(int(run[0]), int(run[-1]) + 1)]


def split_frames(split: str, partition: str = "official", available: int = FRAMES) -> list[int]:
    """Frame numbers of one split, ascending.

    Args:
        split: `"train"`, `"validation"` or `"test"`.
        partition: `"official"`: 654 test frames; the last tenth of the other 795 validates (80), the rest trains
            (715), since the official division has no validation frames of its own. `"paper"`: 1000 / 224 / 225 by
            frame order.
        available: how many frames the file holds, the first ones. With fewer than 1449 the shares stay the same.

    Raises:
        ValueError: unknown split or partition.
    """
    if partition not in PARTITIONS:
        raise ValueError(f"Unknown partition. Expected one of: {PARTITIONS}. Received: partition={partition!r}")
    if partition == "official":
        test = [frame for frame in official_test() if frame < available]
        rest = sorted(set(range(available)) - set(test))
        train_end = len(rest) - round(len(rest) / 10)
        splits = {"train": rest[:train_end], "validation": rest[train_end:], "test": test}
    else:
        train_end = round(available * 1000 / FRAMES)
        middle = train_end + (available - train_end) // 2
        splits = {
            "train": list(range(train_end)),
            "validation": list(range(train_end, middle)),
            "test": list(range(middle, available)),
        }
    if split not in splits:
        raise ValueError(f"Unknown split. Expected one of: {tuple(splits)}. Received: split={split!r}")
    return splits[split]
