"""LabelPolicy: when the scores of a label make an event, and with what each kind of sound begins."""

from enum import StrEnum

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

_MAX_SECONDS = 86_400.0  # the running median keeps the scores of its time in memory


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid"))
class LabelPolicy:
    """How smoothed scores of one label become events.

    A segment opens at a score of `on_threshold` and closes under `off_threshold`. Two segments at most
    `max_gap_seconds` apart are one event, a segment shorter than `min_duration_seconds` is none, and for
    `refractory_seconds` after an event no other begins.

    Raises:
        ValueError: thresholds that are not 0 < off <= on <= 1, or a time below 0 or over a day.
    """

    on_threshold: float = 0.5
    off_threshold: float = 0.3
    smoothing_seconds: float = 1.44
    min_duration_seconds: float = 0.0
    max_gap_seconds: float = 0.0
    refractory_seconds: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 < self.off_threshold <= self.on_threshold <= 1.0:
            raise ValueError(
                "off_threshold, on_threshold: expected 0 < off <= on <= 1, "
                f"got {self.off_threshold} and {self.on_threshold}"
            )
        for name in (
            "smoothing_seconds",
            "min_duration_seconds",
            "max_gap_seconds",
            "refractory_seconds",
        ):
            if not 0.0 <= getattr(self, name) <= _MAX_SECONDS:
                raise ValueError(
                    f"{name}: expected 0 to {_MAX_SECONDS:g}, got {getattr(self, name)}"
                )

    def smoothing_patches(self, patch_hop_seconds: float) -> int:
        """Length of the running median: the odd number of patches nearest to `smoothing_seconds`."""
        if self.smoothing_seconds <= patch_hop_seconds:
            return 1
        return 2 * round((self.smoothing_seconds / patch_hop_seconds - 1) / 2) + 1


class DurationClass(StrEnum):
    """How long a sound lasts, as far as its policy depends on it."""

    IMPULSIVE = "impulsive"  # a knock, a bark, breaking glass: over within half a second
    SHORT = "short"  # a horn, a doorbell, a few barks
    SUSTAINED = "sustained"  # a siren, a machine, rain


_POLICIES = {
    # a median as long as the sound would swallow it; one patch decides, so it must be surer
    DurationClass.IMPULSIVE: LabelPolicy(0.7, 0.4, smoothing_seconds=0.0),
    # three patches at a hop of 0.24 s, one at 0.48 s
    DurationClass.SHORT: LabelPolicy(smoothing_seconds=0.72),
    DurationClass.SUSTAINED: LabelPolicy(smoothing_seconds=1.44),
}


def policy_for(duration_class: DurationClass) -> LabelPolicy:
    """The policy that a label of this class has until it is calibrated."""
    return _POLICIES[duration_class]
