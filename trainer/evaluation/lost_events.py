"""What another bundle loses on the same clips, in events, and whether chance could explain it.

Only the standard library: `trainer promote` also runs on stations, which have no SciPy.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from trainer.evaluation.clip_metrics import Mask
from trainer.evaluation.station_events import EventCounts
from trainer.terminal import show_table

# Of a two-sided interval of 95 %: with the default limit of 1 point one clip of three may be lost by
# chance, two may not; of a hundred three may, four may not.
CHANCE = 0.025
_NORMAL = NormalDist().inv_cdf(1.0 - CHANCE)  # 1.96
_DIGITS = 6  # of points; sums of binary fractions
_HEADS = (
    *("label", "clips", "event recall before", "after", "95 % interval, after"),
    *("forgotten", "wrong events before", "after"),
)


@dataclass(frozen=True, slots=True)
class Change:
    """Of so many clips, how many became worse and how many better: a paired comparison."""

    clips: int
    worse: int
    better: int

    @property
    def points(self) -> float:
        """The net loss in points, less than 0 is a gain."""
        return round(100.0 * (self.worse - self.better) / max(self.clips, 1), _DIGITS)

    def exceeds(self, most_points: float) -> bool:
        """Whether the net loss is more than `most_points`, and not by chance.

        Twice exact: so many worse clips would be too rare (2.5 %) if only the limit, and as many as
        became better, did; and where some became better, if each clip that changed had been as likely
        to change the other way (McNemar's test).
        """
        if self.points <= most_points:
            return False
        expected = min(most_points / 100.0 + self.better / self.clips, 1.0)
        if _tail(self.worse, self.clips, expected) >= CHANCE:
            return False
        return not self.better or _tail(self.worse, self.worse + self.better, 0.5) < CHANCE


def _tail(least: int, count: int, share: float) -> float:
    """The chance of at least so many of `count`, over 0, each with a chance of `share` (binomial)."""
    if share in {0.0, 1.0}:
        return share
    ways = math.lgamma(count + 1)
    return sum(
        math.exp(
            ways
            - (math.lgamma(k + 1) + math.lgamma(count - k + 1))
            + (k * math.log(share) + (count - k) * math.log1p(-share))
        )
        for k in range(least, count + 1)
    )


def interval(hits: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share of which `hits` of `count` were seen (E. B. Wilson 1927)."""
    if not count:
        return 0.0, 1.0
    share, spread = hits / count, _NORMAL**2 / count
    middle = (share + spread / 2.0) / (1.0 + spread)
    half = (
        _NORMAL / (1.0 + spread) * math.sqrt(share * (1.0 - share) / count + spread / 4.0 / count)
    )
    return max(middle - half, 0.0), min(middle + half, 1.0)


@dataclass(frozen=True, slots=True)
class LabelRegression:
    """One label on the same clips, before and after, in clips with an event of it.

    `clips` hold it: heard before, heard after, `forgotten` were heard before only. `others` do not:
    wrong before, wrong after, `newly_wrong` after only. The provenance of a bundle has these fields and
    properties.
    """

    label: str
    clips: int
    heard_before: int
    heard_after: int
    forgotten: int
    others: int
    wrong_before: int
    wrong_after: int
    newly_wrong: int

    @property
    def recall_before(self) -> float:
        """Share of its clips with an event of it."""
        return self.heard_before / max(self.clips, 1)

    @property
    def recall_after(self) -> float:
        """The same, after."""
        return self.heard_after / max(self.clips, 1)

    @property
    def recall_interval(self) -> tuple[float, float]:
        """The 95 % interval of the recall after."""
        return interval(self.heard_after, self.clips)

    @property
    def lost_points(self) -> float:
        """Of event recall, less than 0 is a gain."""
        return self._heard().points

    @property
    def wrong_points(self) -> float:
        """How many more of a hundred other clips have a wrong event."""
        return self._wrong().points

    def _heard(self) -> Change:
        gained = self.heard_after - self.heard_before + self.forgotten
        return Change(self.clips, self.forgotten, gained)

    def _wrong(self) -> Change:
        righted = self.wrong_before - self.wrong_after + self.newly_wrong
        return Change(self.others, self.newly_wrong, righted)

    def is_lost(self, most_points: float) -> bool:
        """Whether its clips are forgotten, or others taken for it, beyond the limit and chance."""
        return self._heard().exceeds(most_points) or self._wrong().exceeds(most_points)

    def fault(self, most_points: float) -> str:
        """What is lost, in a few words with the counts."""
        parts = []
        if self._heard().exceeds(most_points):
            parts.append(
                f"hears {self.heard_after} of {self.clips} clips, before {self.heard_before}"
            )
        if self._wrong().exceeds(most_points):
            parts.append(
                f"has a wrong event in {self.wrong_after} of {self.others} other clips, "
                f"before in {self.wrong_before}"
            )
        return f"{self.label} {' and '.join(parts)}"

    def row(self) -> tuple[str, ...]:
        """Its cells under the heads of `show_regressions`."""
        least, most = self.recall_interval
        return (
            self.label,
            str(self.clips),
            f"{100 * self.recall_before:.1f} %",
            f"{100 * self.recall_after:.1f} %",
            f"{100 * least:.0f} to {100 * most:.0f}",
            str(self.forgotten),
            f"{self.wrong_before} of {self.others}",
            f"{self.wrong_after} of {self.others}",
        )


def compare_labels(
    labels: Sequence[str], targets: Mask, known: Mask, before: EventCounts, after: EventCounts
) -> tuple[LabelRegression, ...]:
    """Every label that a clip holds; all arrays are (N, K), a label that a bundle lacks has no events."""
    found = []
    first, second = before > 0, after > 0
    for k, label in enumerate(labels):
        held, absent = targets[:, k], known[:, k] & ~targets[:, k]
        if not held.any():
            continue
        lost = first[:, k] & ~second[:, k]
        new = second[:, k] & ~first[:, k]
        found.append(
            LabelRegression(
                label,
                *_counts(held, held & first[:, k], held & second[:, k], held & lost),
                *_counts(absent, absent & first[:, k], absent & second[:, k], absent & new),
            )
        )
    return tuple(found)


def _counts(*masks: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> list[int]:
    return [int(mask.sum()) for mask in masks]


def show_regressions(labels: Iterable[LabelRegression]) -> None:
    """The table of old labels, before and after, on stderr."""
    show_table(_HEADS, (each.row() for each in labels))
