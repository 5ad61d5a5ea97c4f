"""The starter bundle in the world: false events an hour, and which sounds it hears."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks.figures import Aim, Figure
from benchmarks.world import events
from benchmarks.world.clips import WorldClip, labelled_clips, unlabelled_clips
from benchmarks.world.packages import Part, World
from benchmarks.world.scored import WorldScorer
from listener.detection.bundle import Bundle
from trainer.data import files, formats
from trainer.evaluation.scored_file import ScoredFile
from trainer.evaluation.scoring import ordered_policies
from trainer.starter.strips import TABLE_FILE

TEST_FOLD = 5  # of ESC-10: not trained on
ALARMS = ("smoke_alarm", "co_alarm")
# labels of the table that mean one of the starter's
SAME = {"sneeze": "sneezing", "fire": "crackling_fire"}


def measure_starter(
    bundle: Bundle, world: World, root: Path, esc10: Path | None, part: Part
) -> list[Figure]:
    """Figures of one part; ESC-10's fold 5 adds recordings to those of the packages."""
    scorer = WorldScorer(bundle, root / "scores")
    policies = ordered_policies(bundle)
    hop_seconds = bundle.manifest.features.patch_hop_seconds
    streams = scorer.streams(unlabelled_clips(world, root, part))
    false = events.false_events(streams, policies, hop_seconds)
    figures = []
    for kind in sorted(false):
        figures += _false_figures(kind, false[kind])
    clips = list(_labelled(scorer, _recordings(world, root, esc10, part)))
    for label, recall in events.recall_by_label(clips, policies, hop_seconds).items():
        figures.append(
            Figure(
                "event recall", f"{label}, {recall.heard} of {recall.clips} recordings", "%",
                (100 * recall.share,), Aim("at least", 80.0),
            )
        )  # fmt: skip
    return figures


def _false_figures(kind: str, false: events.FalseEvents) -> list[Figure]:
    named = ", ".join(f"{label} {count}" for label, count in false.events.most_common(4))
    what = f"{kind}, {false.hours:.1f} h: {named or 'none'}"
    aim = Aim("at most", 1.0) if kind != "sounds" else None
    alarms = Figure(
        "smoke and CO alarms", kind, "a day", (24 * false.per_hour(ALARMS),), Aim("at most", 1.0)
    )
    return [Figure("false events", what, "an hour", (false.per_hour(),), aim), alarms]


def _recordings(world: World, root: Path, esc10: Path | None, part: Part) -> Iterator[WorldClip]:
    for clip in labelled_clips(world, root, part):
        if clip.real:
            yield clip
    if esc10 is not None and part == "test":
        table = formats.read_esc50(files.read_text_table(esc10 / TABLE_FILE))
        for row in table.clips:
            if row.fold == TEST_FOLD:
                (label,) = row.labels
                yield WorldClip(row.path, "ESC-10, fold 5", "sounds", label)


def _labelled(scorer: WorldScorer, clips: Iterable[WorldClip]) -> Iterator[tuple[str, ScoredFile]]:
    for clip in clips:
        scored = scorer.alone(clip)
        if scored is not None and clip.label is not None:
            yield SAME.get(clip.label, clip.label), scored
