"""Findings between splits: pictures that occur in two of them."""

from collections.abc import Iterator
from itertools import combinations

from densedepth_keras.data.checking.fingerprints import equal_pairs, is_near, near_pairs
from densedepth_keras.data.checking.split import SplitFacts
from densedepth_keras.data.checking.verdict import Finding


def duplicate_findings(splits: list[SplitFacts]) -> Iterator[Finding]:
    """Equal pictures in two splits are errors, nearly equal ones warnings."""
    for first, second in combinations([facts for facts in splits if facts.rows], 2):
        both = f"{second.split} and {first.split}"
        equal = equal_pairs(*([pair.picture_digest for pair in facts.pairs] for facts in (second, first)))
        if equal:
            yield Finding(
                "error",
                both,
                f"{len(equal):,} of {len(second.rows):,} pictures are in {first.split}, too",
                f"Equal to the last pixel, so results on {second.split} say nothing. Remove them from one of the two.",
                _names(first, second, equal),
            )
        near = _near(first, second, {i for i, _ in equal})
        if near:
            yield Finding(
                "warning",
                both,
                f"{len(near):,} of {len(second.rows):,} pictures are nearly like one of {first.split}",
                "The same picture saved anew, or neighbouring frames of a video: results will look better than they "
                "are. Split videos by scene, not by frame.",
                _names(first, second, near),
            )


def _near(first, second, known):
    """Pictures of one colour are left out: they are all alike."""
    places = [[i for i, pair in enumerate(facts.pairs) if not pair.flat] for facts in (first, second)]
    places[1] = [i for i in places[1] if i not in known]
    if not all(places):
        return []
    prints = [facts.fingerprints[chosen] for facts, chosen in zip((first, second), places, strict=True)]
    pairs = [(places[1][i], places[0][j]) for i, j in near_pairs(prints[1], prints[0])]
    ours, theirs = second.thumbnails, first.thumbnails
    return [(i, j) for i, j in pairs if is_near(ours[i], theirs[j])]


def _names(first, second, pairs):
    theirs = second.names([i for i, _ in pairs]), first.names([j for _, j in pairs])
    return tuple(f"{second.split}: {a} = {first.split}: {b}" for a, b in zip(*theirs, strict=True))
