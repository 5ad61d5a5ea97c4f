"""The keys of `provenance` in a bundle's manifest: which command writes a section, and what it holds.

Every section is JSON. A bundle keeps the sections of the commands before, so one may come from an older
version of the trainer: a key that such a version did not write is NotRequired.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict, cast

from listener.detection.bundle import CARD_FILE, Manifest

# Lists of SHA-256 of files: what the bundle was trained on, what its policies were chosen by, and the
# station's clips that nothing is trained on.
FileList = Literal["training_files", "calibration_files", "held_files"]


class Epoch(TypedDict):
    """One pass over the training patches; None without validation clips."""

    number: int
    loss: float
    validation_loss: float | None
    accuracy: float | None


class HeadSection(TypedDict):
    """Which head was kept, by what it says of `clips` that it was not trained on (accuracy: a share).

    Logits were scaled and shifted before they became scores. `bank_firing` is the share of held-out bank
    clips that reach a threshold; `colliding` labels score no higher on their own clips.
    """

    kept: str
    summary: str
    accuracy: float | None
    clips: int
    calibration_error_before: float
    calibration_error: float
    scale: float
    offset: float
    bank_firing: float | None
    colliding: Sequence[str]


class LeakSection(TypedDict):
    """Accuracy of patches over folds of recordings, and over folds of shuffled patches."""

    by_recording: float
    shuffled: float
    patches: int
    folds: int


class LabelFigures(TypedDict):
    """Clip metrics of one label."""

    label: str
    clips: int
    precision: float | None
    recall: float | None
    f1: float | None
    roc_auc: float | None
    average_precision: float | None


class ClipFigures(TypedDict):
    """Metrics of clips, or of patches; means over labels."""

    clips: int
    judged: NotRequired[int]  # clips that the accuracy is of
    backgrounds: NotRequired[int]  # those of them without a label
    accuracy: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    roc_auc: float | None
    average_precision: float | None
    labels: Sequence[LabelFigures]
    calibration_error: float


class ConditionFigures(TypedDict):
    """Clip metrics in noise, with reverb, at another level or with less bandwidth."""

    condition: str
    strength: float | None
    accuracy: float | None
    f1: float | None
    average_precision: float | None


class MatchFigures(TypedDict):
    """Events matched in one way; counts by label."""

    counts: Mapping[str, Any]
    macro_f1: float | None
    micro_f1: float | None


class EventFigures(TypedDict):
    """Event metrics; `collar` by seconds, as text."""

    files: int
    events: int
    collar: Mapping[str, MatchFigures]
    intersection: MatchFigures
    psds1: float
    psds2: float


class NoiseFigures(TypedDict):
    """Events in one generated sound, by label."""

    sound: str
    level_dbfs: float
    seconds: float
    events: Mapping[str, int]


class AlarmFigures(TypedDict):
    """False alarms in hours of audio, and the 95 % upper bound of their rate."""

    alarms: int
    hours: float
    per_hour: float
    per_day: float
    at_most_per_day: float


class AmbientFigures(TypedDict):
    """False alarms on ambient audio, of all labels and by label."""

    total: AlarmFigures
    labels: Mapping[str, AlarmFigures]


class LabelEventFigures(TypedDict):
    """Events of one label: in clips that hold it, and in clips that do not."""

    label: str
    clips: int
    heard: int
    wrong_events: int


class StationFigures(TypedDict):
    """What the station would do with clips, in events of the policies."""

    clips: int
    backgrounds: int
    hours: float
    labels: Sequence[LabelEventFigures]
    sounds: int
    heard: int
    recall: float | None
    false_alarms: AlarmFigures | None


class EvaluationSection(TypedDict):
    """By `trainer evaluate`: how the bundle was judged, and the figures without curves."""

    made: str
    data: Sequence[str]
    folds: Sequence[int]
    ambient: AmbientFigures | None
    licences: Mapping[str, str]
    seen: bool
    bundle: str
    labels: Sequence[str]
    station: NotRequired[StationFigures]
    clip: ClipFigures
    patch: ClipFigures
    robustness: Sequence[ConditionFigures]
    events: EventFigures | None
    noise: Sequence[NoiseFigures]
    quarantined: Sequence[Mapping[str, str]]


class CalibrationSection(TypedDict):
    """By `trainer calibrate`; a finding for each label, remarks as sentences."""

    policies: Mapping[str, Any]
    findings: Sequence[Mapping[str, Any]]
    false_alarms_per_day: float
    ambient: AlarmFigures | None
    generated: NotRequired[bool]
    held_back: NotRequired[int]
    least_recall: NotRequired[float]
    claimed: bool
    remarks: Sequence[str]


class FormFigures(TypedDict):
    """One form of the model beside float32; `fault` is why it is not offered."""

    form: str
    size_bytes: int
    speed: float
    accuracy: float | None
    average_precision: float | None
    accuracy_loss_points: float | None
    average_precision_loss_points: float | None
    golden_tolerance: float
    fault: str | None
    summary: str


class FormsSection(TypedDict):
    """By `trainer shrink`."""

    data: Sequence[str]
    clips: int
    batch_patches: int
    tried: Sequence[FormFigures]


class LossFigures(TypedDict):
    """One old label on the held-out clips, before and after the retraining, in clips with its events."""

    label: str
    clips: int
    heard_before: int
    heard_after: int
    forgotten: int
    others: int
    wrong_before: int
    wrong_after: int
    newly_wrong: int
    recall_before: float
    recall_after: float
    recall_interval: Sequence[float]
    lost_points: float
    wrong_points: float


class ScoreLossFigures(TypedDict):
    """The same of version 0.2.0, which judged the mean scores of clips."""

    label: str
    clips: int
    f1_before: float | None
    f1_after: float | None
    average_precision_before: float | None
    average_precision_after: float | None
    lost_points: float


class KeptClips(TypedDict):
    """How many clips later bundles are checked with for a new label."""

    label: str
    clips: int
    learnt: bool


class CertificateSection(TypedDict):
    """The regression check of a retraining; `asked` are the labels that it is limited to."""

    clips: int
    labels: Sequence[LossFigures | ScoreLossFigures]
    most_loss: float
    station: NotRequired[StationFigures | None]
    kept: NotRequired[Sequence[KeptClips]]
    asked: NotRequired[Sequence[str]]
    lost: Sequence[LossFigures | ScoreLossFigures]
    in_doubt: NotRequired[Sequence[LossFigures]]


class Doubt(TypedDict):
    """A verdict that the other verdicts contradict."""

    clip: str
    path: str
    label: str
    said_there: bool
    score: float


class RetrainingSection(TypedDict):
    """By `trainer retrain`; `raised` holds the on_threshold of a label before and after."""

    base: str
    clips: str
    verdicts: int
    ambient: int
    rehearsal: str
    new_labels: Sequence[str]
    certificate: CertificateSection
    doubts: Sequence[Doubt]
    false_alarms_per_day: float
    raised: Mapping[str, Sequence[float]]
    alarms: AlarmFigures | None


class Provenance(TypedDict, total=False):
    """All sections; a bundle has those of the commands that made and changed it."""

    # trainer fit; `lesson` is the Recipe, and only such a bundle has one
    data: Sequence[str] | str  # one text in a bundle of `trainer backbone` or `trainer starter`
    licences: Mapping[str, str]
    backbone: str
    folds: Sequence[int]
    validation_fold: int | None
    timed: bool
    clips: int
    left_out: Sequence[str]
    validation: str
    station: StationFigures  # on the validation clips, before they were trained on
    learning_curves: Sequence[Sequence[Epoch]]
    lesson: Mapping[str, Any]
    training_files: Sequence[str]  # of `trainer retrain`, too
    leak: LeakSection
    head: HeadSection
    # trainer backbone
    handle: str
    licence: str
    credits: str
    audioset_mids: Sequence[str]  # AudioSet's ids of the labels, in their order
    # trainer starter
    teacher: str
    seed: int
    strips: int
    epochs: int
    metrics: Mapping[str, Any]
    # every export of a model
    storage: str
    tflite_score_difference: float
    # what changed the bundle since
    introduction: str  # the card that the bundle came with
    calibration: CalibrationSection
    calibration_files: Sequence[str]
    evaluation: EvaluationSection
    forms: FormsSection
    retraining: RetrainingSection
    held_files: Sequence[str]


def provenance_of(manifest: Manifest) -> Provenance:
    """The manifest's provenance with its types."""
    return cast("Provenance", manifest.provenance)


def without(known: Provenance, *sections: str) -> Provenance:
    """The provenance less these sections, which were measured on another model or with other policies."""
    return cast("Provenance", {key: each for key, each in known.items() if key not in sections})


def with_introduction(known: Provenance, folder: Path) -> Provenance:
    """The provenance with the card in the bundle's folder, where no section says as much.

    A card may hold what licences require, such as the names of authors, so it must not get lost.
    """
    if "lesson" in known or "introduction" in known:
        return known
    card = folder / CARD_FILE
    return {**known, "introduction": card.read_text(encoding="utf-8") if card.is_file() else ""}


def to_document(value: object) -> Any:
    """Dataclasses as dicts with their fields and properties, tuples as lists, paths as text.

    Sets are sorted, other values stay as they are.
    """
    if is_dataclass(value):
        attributes = vars(type(value)).items()
        properties = [name for name, what in attributes if isinstance(what, property)]
        names = [field.name for field in fields(value)] + properties
        return {name: to_document(getattr(value, name)) for name in names if name[0] != "_"}
    if isinstance(value, Mapping):
        return {str(key): to_document(each) for key, each in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple | list):
        return [to_document(each) for each in value]
    return str(value) if isinstance(value, Path) else value
