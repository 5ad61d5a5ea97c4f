"""YAMNet's predefined groups of the home: what a station hears of them, beside the simplest rival."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import Aim, Figure
from benchmarks.world.clips import WorldClip, labelled_clips, unlabelled_clips
from benchmarks.world.events import labels_heard
from benchmarks.world.packages import Part, World
from benchmarks.world.scored import WorldScorer
from listener.detection.bundle import Bundle
from listener.detection.labels import LabelColumns, most_sensitive, read_label_set
from listener.detection.policy import LabelPolicy
from trainer.evaluation.scored_file import ScoredFile
from trainer.evaluation.scoring import ordered_policies

RIVAL_SCORE = 0.5  # the simplest rival: any score of a member that reaches it, anywhere in the clip
VOICES = "voices"
# labels that a voice makes: that a station hears a voice is right
_OF_VOICES = frozenset(
    {"scream", "laughter", "groan", "cheering", "applause", "crying_baby", "cough", "sneeze"}
)


@dataclass(slots=True)
class Counts:
    """What one way of deciding makes of the clips."""

    expected: int = 0
    heard: int = 0
    wrong_clips: int = 0
    clips: int = 0
    by_group: dict[str, list[int]] = field(default_factory=dict)  # heard, expected

    def add(self, right: set[str], allowed: set[str], found: set[str]) -> None:
        """A clip: the groups that are right, those that may be, and those that were found."""
        self.clips += 1
        self.expected += len(right)
        self.heard += len(right & found)
        self.wrong_clips += bool(found - allowed - right)
        for group in right:
            counts = self.by_group.setdefault(group, [0, 0])
            counts[0] += group in found
            counts[1] += 1


class HomeGroups:
    """The groups of the set `home` over a bundle's scores."""

    def __init__(self, bundle: Bundle) -> None:
        names = {label.name: column for column, label in enumerate(bundle.manifest.labels)}
        policies = list(ordered_policies(bundle).values())
        members = {
            group: [names[name] for name in wanted if name in names]
            for group, wanted in read_label_set("home").items()
        }
        self.columns = {group: columns for group, columns in members.items() if columns}
        self.policies: dict[str, LabelPolicy] = {
            group: most_sensitive(policies[column] for column in columns)
            for group, columns in self.columns.items()
        }
        self._scores = LabelColumns.of(list(self.columns.values()))
        self._hop_seconds = bundle.manifest.features.patch_hop_seconds

    def heard_by_the_station(self, scored: ScoredFile) -> set[str]:
        """The groups that have an event."""
        grouped = ScoredFile(scored.name, self._scores.scores_of(scored.scores), scored.boundaries)
        return labels_heard(grouped, self.policies, self._hop_seconds)

    def heard_by_the_rival(self, scored: ScoredFile) -> set[str]:
        """The groups with a member whose highest score reaches RIVAL_SCORE."""
        highest: NDArray[np.float32] = scored.scores.max(axis=0)
        return {
            group
            for group, columns in self.columns.items()
            if highest[columns].max() >= RIVAL_SCORE
        }


def measure_home(bundle: Bundle, world: World, root: Path, part: Part) -> list[Figure]:
    """Recall and wrong clips of the station and of the rival."""
    scorer, groups = WorldScorer(bundle, root / "scores"), HomeGroups(bundle)
    station, rival, others = Counts(), Counts(), Counts()
    quiet = Counts()
    for clip, right, allowed in expected_clips(world, root, part, groups):
        scored = scorer.alone(clip)
        if scored is None:
            continue
        heard, by_score = groups.heard_by_the_station(scored), groups.heard_by_the_rival(scored)
        station.add(right, allowed, heard)
        rival.add(right, allowed, by_score)
        if clip.kind == "sounds":
            others.add(right, allowed, heard)
            quiet.add(right, allowed, by_score)
    return [
        *_figures("all clips", station, rival),
        *_figures("clips of labelled sounds", others, quiet),
    ]


def _figures(what: str, station: Counts, rival: Counts) -> list[Figure]:
    share = 100 * station.heard / station.expected, 100 * rival.heard / rival.expected
    by_group = ", ".join(
        f"{group} {heard}/{count}" for group, (heard, count) in sorted(station.by_group.items())
    )
    return [
        Figure("home, recall", f"{what}: {by_group}", "%", (share[0],), Aim("at least", share[1])),
        Figure("home, recall", f"{what}: max score {RIVAL_SCORE}", "%", (share[1],)),
        Figure(
            "home, wrong", f"{what}, of {station.clips}", "clips", (station.wrong_clips,),
            Aim("at most", rival.wrong_clips / 3),
        ),
        Figure("home, wrong", f"{what}: max score {RIVAL_SCORE}", "clips", (rival.wrong_clips,)),
    ]  # fmt: skip


def expected_clips(
    world: World, root: Path, part: Part, groups: HomeGroups
) -> Iterator[tuple[WorldClip, set[str], set[str]]]:
    """Clips with the groups that are right, and with those that may be heard besides."""
    known = read_label_set("home")
    for clip in labelled_clips(world, root, part):
        if clip.real and clip.label is not None:
            names = set(world.labels[clip.label])
            right = {group for group in groups.columns if names & set(known[group])}
            yield clip, right, {VOICES} if clip.label in _OF_VOICES else set()
    for clip in unlabelled_clips(world, root, part):
        if clip.kind == "speech":
            yield clip, {VOICES}, set()
        elif clip.kind == "music":  # there may be singing in it
            yield clip, set(), {VOICES}
