"""What a pipeline works with; another thread replaces it as a whole, between two batches."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from listener.clips.extractor import ExtractionPlan
from listener.detection.bundle import Label, Manifest
from listener.detection.labels import LabelColumns, LabelGroup, PrivateScores
from listener.detection.params import FeatureParams
from listener.detection.policy import LabelPolicy
from listener.detection.scores import Scores
from listener.engines.engine import Engine


@dataclass(frozen=True, slots=True)
class SourcePolicies:
    """The policy of every label on one source, and the labels of which it makes no events."""

    policies: Mapping[str, LabelPolicy]
    muted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ClipPlan:
    """Which clips are cut, and the scores at which people are heard, of whom no clip is kept."""

    extraction: ExtractionPlan
    private: PrivateScores


@dataclass(frozen=True, slots=True)
class DetectionPlan:
    """What is detected: labels, their policies, and the columns of the engine's scores that make them.

    `groups` are those of the labels that people made, the first of `policies`. `by_source` has the sources
    with policies of their own, which differ in nothing but thresholds. `clips` is None if none are kept.
    """

    params: FeatureParams
    policies: Mapping[str, LabelPolicy]
    columns: LabelColumns
    bundle: str
    namespace: str
    by_source: Mapping[str, SourcePolicies] = field(default_factory=dict)
    clips: ClipPlan | None = None
    groups: tuple[LabelGroup, ...] = ()

    @property
    def group_labels(self) -> tuple[Label, ...]:
        """The labels that the bundle does not have, or has under this name with another meaning."""
        return tuple(group.label for group in self.groups)

    def member_scores(self, scores: Scores) -> Scores:
        """The scores of the groups' members, group by group: (B, all labels of the bundle) -> (B, M).

        M is 0 if no clips are kept, whose records have them.
        """
        count = 0 if self.clips is None else sum(len(group.members) for group in self.groups)
        return scores[:, self.columns.columns[:count]]

    def policies_of(self, source: str) -> SourcePolicies:
        """The policies of a source."""
        return self.by_source.get(source) or SourcePolicies(self.policies)


@dataclass(frozen=True, slots=True)
class Detection:
    """A bundle at work: its engine, what is detected with it, and its manifest."""

    engine: Engine
    plan: DetectionPlan
    manifest: Manifest
