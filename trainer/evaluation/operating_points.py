"""A LabelPolicy for one label: the best on validation within a budget of false alarms."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from operator import attrgetter

import numpy as np

from listener.detection.bundle import Bundle
from listener.detection.policy import LabelPolicy
from trainer.config import Objective
from trainer.evaluation.counts import Counts, Matcher
from trainer.evaluation.scored_file import Intervals
from trainer.evaluation.tracks import Track, find_segments, shape_events, smooth_track
from trainer.provenance import provenance_of

CONFIDENCE = 0.95  # one-sided
_HOURS_PER_DAY = 24.0
_SECONDS_PER_HOUR = 3600.0
DEFAULT_FALSE_ALARMS_PER_DAY = 1.0
_THRESHOLDS = attrgetter("policy.on_threshold", "policy.off_threshold", "policy.smoothing_seconds")


@dataclass(frozen=True, slots=True)
class AlarmRate:
    """False alarms counted in hours of audio.

    `at_most_per_day` is the upper bound on the true rate that holds in 95 % of such counts: no alarm
    in one hour still allows 72 a day.
    """

    alarms: int
    hours: float

    def __post_init__(self) -> None:
        if self.alarms < 0 or not self.hours > 0:
            raise ValueError(
                f"alarm rate: expected at least 0 alarms in more than 0 hours, "
                f"got {self.alarms} in {self.hours}"
            )

    @property
    def per_hour(self) -> float:
        """As counted."""
        return self.alarms / self.hours

    @property
    def per_day(self) -> float:
        """As counted."""
        return self.per_hour * _HOURS_PER_DAY

    @property
    def at_most_per_day(self) -> float:
        """The 95 % upper bound."""
        return upper_bound(self.alarms) / self.hours * _HOURS_PER_DAY


def upper_bound(count: int, confidence: float = CONFIDENCE) -> float:
    """The largest Poisson mean that gives as few as `count` with a chance of 1 - confidence.

    The exact one-sided bound of F. Garwood 1936; 3.0 for none (the rule of three), 4.74 for one.
    """
    from scipy.stats import chi2  # noqa: PLC0415 - a second, and few commands need a bound

    return float(chi2.ppf(confidence, 2 * (count + 1)) / 2)


def hours_to_claim(per_day: float, confidence: float = CONFIDENCE) -> float:
    """Hours without an alarm after which the bound is down to so many a day."""
    return upper_bound(0, confidence) / per_day * _HOURS_PER_DAY


def allowed_alarms(per_day: float, hours: float) -> int:
    """How many alarms in so many hours are no more than `per_day`."""
    return math.floor(per_day * hours / _HOURS_PER_DAY + 1e-9)  # a sum of file lengths


def budget_of(bundle: Bundle) -> float:
    """False alarms a day of all labels together that the bundle was calibrated for."""
    known = provenance_of(bundle.manifest)
    last = known.get("retraining") or known.get("calibration")
    return DEFAULT_FALSE_ALARMS_PER_DAY if last is None else float(last["false_alarms_per_day"])


def count_alarms(smoothed: Track, policy: LabelPolicy) -> AlarmRate:
    """The events in audio without the label, whose scores are smoothed already."""
    alarms = shape_events(find_segments(smoothed, policy), policy)
    return AlarmRate(len(alarms), smoothed.seconds / _SECONDS_PER_HOUR)


def overlap_counts(found: Intervals, truth: Intervals) -> Counts:
    """An event that overlaps truth at all is right, truth that no event overlaps is missed.

    Both are sorted by onset.
    """
    hits = _count_overlapped(truth, found)
    return Counts(hits, len(found) - _count_overlapped(found, truth), len(truth) - hits)


def _count_overlapped(ones: Intervals, others: Intervals) -> int:
    """How many of the ones overlap any of the others, without a table of all pairs."""
    if not len(others):
        return 0
    # the first of the others to end after each begins; it begins first of all that do
    first = np.searchsorted(np.maximum.accumulate(others[:, 1]), ones[:, 0], side="right")
    onsets = np.append(others[:, 0], np.inf)
    return int((onsets[first] < ones[:, 1]).sum())


@dataclass(frozen=True, slots=True)
class Grid:
    """What is tried. `off_shares` are shares of the on_threshold.

    Scores crowd near 0 and 1, so the thresholds do, too.
    """

    smoothing_seconds: tuple[float, ...] = (0.0, 0.72, 1.44, 1.92, 2.4, 3.36)
    on_thresholds: tuple[float, ...] = (
        *(0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7),
        *(0.75, 0.8, 0.85, 0.9, 0.93, 0.96, 0.98, 0.99, 0.995, 0.999),
    )
    off_shares: tuple[float, ...] = (1.0, 0.8, 0.6, 0.4)
    min_duration_seconds: tuple[float, ...] = (0.0, 0.5, 1.0)
    max_gap_seconds: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0)


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A policy and what it gives: counts on validation, alarms on ambient audio (None: there is none)."""

    policy: LabelPolicy
    counts: Counts
    ambient: AlarmRate | None
    within_budget: bool


def best_point(
    track: Track,
    ambient: Track | None,
    allowed_per_day: float,
    patch_hop_seconds: float,
    *,
    objective: Objective = "f1",
    matcher: Matcher = overlap_counts,
    grid: Grid | None = None,
) -> OperatingPoint:
    """The best policy within one budget; see `PolicySearch`."""
    search = PolicySearch(
        track, ambient, patch_hop_seconds, objective=objective, matcher=matcher, grid=grid
    )
    return search.best_within(allowed_per_day)


def _nearby(policy: LabelPolicy, grid: Grid) -> Iterable[LabelPolicy]:
    """Four thresholds between each pair of neighbours on the grid, and finer shares."""
    place = int(np.searchsorted(grid.on_thresholds, policy.on_threshold))
    around = grid.on_thresholds[max(0, place - 1) : place + 2]
    for on in np.interp(np.linspace(0, 1, 11), np.linspace(0, 1, len(around)), around).tolist():
        for share in (*grid.off_shares, policy.off_threshold / policy.on_threshold, 0.9, 0.7, 0.5):
            yield replace(policy, on_threshold=on, off_threshold=min(on, on * share))


class PolicySearch:
    """The best policies of one label for any budget; what a policy gives is counted once.

    Args:
        track: validation audio with the truth of the label.
        ambient: audio without the label; every event in it is a false alarm.
        patch_hop_seconds: the bundle's.
        objective: what is best. Recall alone takes the lowest thresholds that the ambient audio
            forgives, also where other sounds of the validation audio raise false alarms.
        matcher: when an event is right.
        grid: what is tried.
        least_recall: the recall, [0, 1], that comes before the objective.
    """

    def __init__(
        self,
        track: Track,
        ambient: Track | None,
        patch_hop_seconds: float,
        *,
        objective: Objective = "f1",
        matcher: Matcher = overlap_counts,
        grid: Grid | None = None,
        least_recall: float = 0.0,
    ) -> None:
        self._track, self._ambient = track, ambient
        self._patch_hop_seconds = patch_hop_seconds
        self._objective, self._matcher = objective, matcher
        self._grid, self._least_recall = grid or Grid(), least_recall
        self._smoothed: dict[int, tuple[Track, Track | None]] = {}
        self._known: dict[LabelPolicy, tuple[Counts, AlarmRate | None]] = {}
        self._coarse = [
            LabelPolicy(on, on * share, seconds)
            for seconds in self._grid.smoothing_seconds
            for on in self._grid.on_thresholds
            for share in self._grid.off_shares
        ]

    def best_within(self, allowed_per_day: float) -> OperatingPoint:
        """Search coarsely, then the gap and the least duration, then near the best thresholds.

        Where no policy keeps to so many alarms a day in the ambient audio, the one with the fewest is
        given.
        """
        best = self._best(self._coarse, allowed_per_day)
        shapes = (
            replace(best.policy, min_duration_seconds=least, max_gap_seconds=gap)
            for least in self._grid.min_duration_seconds
            for gap in self._grid.max_gap_seconds
        )
        best = self._best(shapes, allowed_per_day, best)
        return self._best(_nearby(best.policy, self._grid), allowed_per_day, best)

    def fewest_alarms(self) -> AlarmRate | None:
        """The fewest alarms in the ambient audio with which the least recall is kept.

        None if no policy keeps it, or there is no ambient audio. The coarse search alone counts, so that
        `best_within` finds as good a policy.
        """
        counted = [self._count(policy) for policy in self._coarse]
        rates = [
            rate
            for counts, rate in counted
            if rate is not None and (counts.recall or 0.0) >= self._least_recall
        ]
        return min(rates, key=attrgetter("alarms"), default=None)

    def point(self, policy: LabelPolicy, allowed_per_day: float) -> OperatingPoint:
        """What a policy gives."""
        counts, rate = self._count(policy)
        within = rate is None or rate.alarms <= allowed_alarms(allowed_per_day, rate.hours)
        return OperatingPoint(policy, counts, rate, within)

    def reach(self, policy: LabelPolicy) -> float:
        """The highest score within the truth, smoothed as the policy asks for."""
        track, _ = self._smooth(policy.smoothing_patches(self._patch_hop_seconds))
        inside = [
            track.scores[(track.onsets < offset) & (track.offsets > onset)].max(initial=0.0)
            for onset, offset in track.truth
        ]
        return float(max(inside, default=0.0))

    def _best(
        self,
        policies: Iterable[LabelPolicy],
        allowed_per_day: float,
        known: OperatingPoint | None = None,
    ) -> OperatingPoint:
        """The known point if none is better, else of the equally good ones the middle by threshold.

        The middle one is as far from missing the sound as from false alarms.
        """
        points = [self.point(policy, allowed_per_day) for policy in policies]
        most = max(map(self._worth, points))
        if known is not None and self._worth(known) >= most:
            return known
        equals = [point for point in points if self._worth(point) == most]
        equals.sort(key=_THRESHOLDS)
        return equals[len(equals) // 2]

    def _count(self, policy: LabelPolicy) -> tuple[Counts, AlarmRate | None]:
        if policy not in self._known:
            track, ambient = self._smooth(policy.smoothing_patches(self._patch_hop_seconds))
            found = shape_events(find_segments(track, policy), policy)
            rate = None if ambient is None else count_alarms(ambient, policy)
            self._known[policy] = self._matcher(found, track.truth), rate
        return self._known[policy]

    def _smooth(self, length: int) -> tuple[Track, Track | None]:
        if length not in self._smoothed:
            quiet = None if self._ambient is None else smooth_track(self._ambient, length)
            self._smoothed[length] = smooth_track(self._track, length), quiet
        return self._smoothed[length]

    def _worth(self, point: OperatingPoint) -> tuple[float, ...]:
        """Larger is better."""
        alarms = 0 if point.ambient is None else point.ambient.alarms
        scores = point.counts.f1 or 0.0, point.counts.recall or 0.0
        wanted = scores if self._objective == "f1" else scores[::-1]
        outside = 0 if point.within_budget else alarms
        return (-outside, scores[1] >= self._least_recall, *wanted, -alarms)
