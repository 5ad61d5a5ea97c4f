"""The whole card, section by section."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from listener.detection.bundle import Manifest
from listener.detection.policy import LabelPolicy
from trainer.data.files import NOT_STATED
from trainer.report.figures import listed, main_figures, percent

FORMS = "forms"  # in the provenance: what `trainer shrink` measured
STORAGE = "storage"  # in the provenance: the form that the bundle has
EVALUATION = "evaluation"  # in the provenance: what `summarise` of trainer.report.document gave
_MOST_LABELS = 60  # in the card; the report has them all
INTRODUCTION = (
    "introduction"  # in the provenance: what the bundle's maker wrote, kept word for word
)
LESSON = "lesson"  # in the provenance of what `trainer fit` made
LEAK = "leak"  # in the provenance, see trainer.training.leakage
CALIBRATION = "calibration"  # in the provenance: a `Calibration` as a document
FEW_CLIPS = 20  # one more wrong is 5 points
_MOST_NAMED = 10
RETRAINING = (
    "retraining"  # in the provenance: a `Lessons` of trainer.retraining.write as a document
)


# The card's section on the forms of the model.


def forms(manifest: Manifest) -> str:
    """A row for each form that was tried; empty where none was."""
    found = manifest.provenance.get(FORMS)
    if found is None:
        return ""
    rows = "".join(_row(each) for each in found["tried"])
    return (
        f"## Forms of the model\n\nThis bundle holds {manifest.provenance[STORAGE]}. "
        f"Measured by `trainer shrink` on {found['clips']} clips of {listed(found['data'])} that the "
        "bundle had not seen, in one run; speed in the daemon's engine, one thread, batches of "
        f"{found['batch_patches']}.\n\n"
        "| form | MB | times as fast as float32 | clip accuracy | points lost | macro average precision "
        f"| points lost | offered |\n|---|---|---|---|---|---|---|---|\n{rows}"
    )


def _row(form: Mapping[str, Any]) -> str:
    cells = (
        form["form"],
        f"{form['size_bytes'] / 1e6:.2f}",
        f"{form['speed']:.2f}",
        percent(form["accuracy"]),
        _points(form["accuracy_loss_points"]),
        percent(form["average_precision"]),
        _points(form["average_precision_loss_points"]),
        "yes" if form["fault"] is None else f"no: {form['fault']}",
    )
    return f"| {' | '.join(cells)} |\n"


def _points(lost: float | None) -> str:
    return "unknown" if lost is None else f"{lost:.2f}"


# What can be heard, and how its scores are to be read.


_MEANING = {
    "softmax": "shares of one whole: of the classes and the background one is heard",
    "sigmoid": "independent of each other: any number of classes may be heard at once",
}


def classes(manifest: Manifest) -> str:
    """Names, activation and patch hop."""
    names = ", ".join(label.name for label in manifest.labels)
    return (
        "## Classes\n\n"
        f"- {names}.\n"
        f"- Scores in [0, 1] ({manifest.activation}), {_MEANING[manifest.activation]}; a clip's score "
        "is the mean over its patches.\n"
        f"- A patch of {manifest.features.patch_seconds:g} s every "
        f"{manifest.features.patch_hop_seconds:g} s."
    )


# How well the bundle does, on what, and where to see more.


def figures(manifest: Manifest) -> str:
    """Main figures and a row for each label, or that nothing was measured."""
    found = manifest.provenance.get(EVALUATION)
    if found is None:
        return (
            "## How well\n\nNot evaluated with these policies: `trainer evaluate` measures on data "
            "that the bundle has not seen."
        )
    rows = "".join(f"| {what} | {figure} |\n" for what, figure in main_figures(found))
    return f"## How well\n\n{_occasion(found)}\n\n| what | figure |\n|---|---|\n{rows}\n{_labels(found)}"


def _occasion(found: Mapping[str, Any]) -> str:
    seen = (
        "**It learnt from these clips, or was tuned on them: the figures are too good.**"
        if found["seen"]
        else "It learnt from none of these clips."
    )
    data = "; ".join(f"`{path}` (licence: {found['licences'][path]})" for path in found["data"])
    return (
        f"Measured by `trainer evaluate` at {found['made']} as {found['bundle']} on {data}, "
        f"folds {listed(found['folds'])}. {seen} More in `report/index.html`."
    )


def _labels(found: Mapping[str, Any]) -> str:
    labels = found["clip"]["labels"]
    rows = "".join(
        f"| {each['label']} | {each['clips']} | {percent(each['precision'])} "
        f"| {percent(each['recall'])} | {percent(each['f1'])} |\n"
        for each in labels[:_MOST_LABELS]
    )
    more = len(labels) - _MOST_LABELS
    rest = f"\n{more} more labels are in `report/index.html`." if more > 0 else ""
    return f"| label | clips | precision | recall | F1 |\n|---|---|---|---|---|\n{rows}{rest}"


# What the bundle is.


def introduction(manifest: Manifest) -> str:
    """What the maker wrote, or whence the classes were learnt."""
    known = manifest.provenance
    if INTRODUCTION in known:
        return str(known[INTRODUCTION])
    heading = f"# {manifest.name}\n\n"
    if LESSON not in known:
        return heading
    return (
        f"{heading}{len(manifest.labels)} classes, learnt by `trainer fit` from {known['clips']} clips, "
        f"on the embeddings of `{known['backbone']}`."
    )


def with_introduction(provenance: dict[str, Any], card: str) -> dict[str, Any]:
    """The provenance with the card that the bundle came with, where the sections know less than it.

    A card may hold what its licences ask for, such as the names of authors: it is not lost.
    """
    made_of_sections = LESSON in provenance or INTRODUCTION in provenance
    return provenance if made_of_sections else provenance | {INTRODUCTION: card}


# What a careless evaluation would have claimed.


def leak(manifest: Manifest) -> str:
    """The leaky figure as a warning beside the honest one."""
    found = manifest.provenance.get(LEAK)
    if found is None:
        return ""
    points = 100 * (found["shuffled"] - found["by_recording"])
    return (
        "## A figure not to believe\n\n"
        f"Of {found['patches']} patches, {percent(found['by_recording'])} are told apart when whole "
        "recordings are kept out of the training. "
        f"Shuffled over the {found['folds']} folds, so that patches of one recording are learnt from "
        f"and tested on, the same head gets {percent(found['shuffled'])}: {points:+.1f} points of leak."
    )


# What the bundle was trained on, and under which licences.


def learnt_from(manifest: Manifest) -> str:
    """Data sets with their licences, folds, what was left out."""
    known = manifest.provenance
    if LESSON not in known:
        return ""
    licences = known.get("licences", {})
    data = "".join(
        f"- `{path}`; licence: {licences.get(path, NOT_STATED)}.\n" for path in known["data"]
    )
    return (
        f"## Learnt from\n\n{data}"
        f"- Folds: {listed(known['folds'])}; {_validation(known['validation_fold'])}.\n"
        f"- Validation, before it was learnt from as well: {known['validation']}.\n"
        f"- Left out as unusable: {len(known['left_out']) or 'nothing'}."
    )


def _validation(fold: int | None) -> str:
    return "none told when to stop" if fold is None else f"fold {fold} told when to stop"


# When scores become events, and what may be claimed of false alarms.


def policies(manifest: Manifest) -> str:
    """One row for each policy that differs, and the calibration's remarks."""
    by_policy: dict[LabelPolicy, list[str]] = {}
    for label in manifest.labels:
        by_policy.setdefault(manifest.policies[label.slug], []).append(label.slug)
    rows = "".join(map(_row_policies, by_policy, by_policy.values()))
    return (
        f"## Policies\n\n{_origin(manifest.provenance)}\n\n"
        "| label | on | off | median, s | at least, s | gap, s |\n|---|---|---|---|---|---|\n"
        f"{rows}"
    )


def _row_policies(policy: LabelPolicy, labels: list[str]) -> str:
    names = listed(labels) if len(labels) <= 3 else f"{len(labels)} labels"  # noqa: PLR2004
    return (
        f"| {names} | {policy.on_threshold:.3g} | {policy.off_threshold:.3g} "
        f"| {policy.smoothing_seconds:g} | {policy.min_duration_seconds:g} "
        f"| {policy.max_gap_seconds:g} |\n"
    )


def _origin(known: Mapping[str, Any]) -> str:
    found = known.get(CALIBRATION)
    if found is None:
        return (
            "The thresholds are not calibrated: `trainer calibrate` chooses them by how many false "
            "alarms you will bear."
        )
    remarks = "".join(f"\n- {remark}" for remark in found["remarks"])
    return (
        f"Chosen by `trainer calibrate` for at most {found['false_alarms_per_day']:g} false alarms a "
        f"day of all labels together.{remarks and chr(10)}{remarks}"
    )


# What the figures do not say.


def limits(manifest: Manifest) -> str:
    """What follows from what was, and was not, measured."""
    return "## Limits\n\n" + "\n".join(f"- {line}" for line in limit_lines(manifest))


def limit_lines(manifest: Manifest) -> list[str]:
    """One sentence each."""
    known = manifest.provenance
    found = known.get(EVALUATION)
    return [
        "Do not rely on it for safety: a sound may be missed.",
        "Scores of two classes are not to be compared: each class has a threshold of its own.",
        *([] if found is None else _of_evaluation(found)),
        *_of_calibration(known.get(CALIBRATION)),
    ]


def _of_evaluation(found: Mapping[str, Any]) -> Iterator[str]:
    few = [each["label"] for each in found["clip"]["labels"] if each["clips"] < FEW_CLIPS]
    if few:
        more = f" and {len(few) - _MOST_NAMED} more" if len(few) > _MOST_NAMED else ""
        yield f"Under {FEW_CLIPS} clips, so that a figure is a guess: {listed(few[:_MOST_NAMED])}{more}."
    if found["events"] is None:
        yield "No clip said when its label is heard: onsets and offsets were not judged."
    if found["ambient"] is None:
        yield "No ambient audio was given: nothing is known of false alarms in a room."
    if not found["robustness"]:
        yield "Not tried in noise, reverb or at other levels."


def _of_calibration(found: Mapping[str, Any] | None) -> Iterator[str]:
    if found is None:
        yield "The policies are a start and not calibrated."
    elif not found["claimed"]:
        yield "The budget of false alarms cannot be claimed, see Policies."


# What a bundle learnt from people, and what that cost its old classes.


def retraining(manifest: Manifest) -> str:
    """The verdicts, the certificate, the doubts; empty for a bundle that learnt from none."""
    found = manifest.provenance.get(RETRAINING)
    if found is None:
        return ""
    return "\n\n".join(
        (f"## Learnt from people\n\n{_learnt(found)}", _certificate(found), _doubts(found))
    ).strip()


def _learnt(found: Mapping[str, Any]) -> str:
    added = f" Added: {listed(found['new_labels'])}." if found["new_labels"] else ""
    raised = "".join(
        f"\n- {label}: on at {after:.3g} instead of {before:.3g}."
        for label, (before, after) in found["raised"].items()
    )
    return (
        f"`trainer retrain` corrected {found['base']} by {found['verdicts']} verdicts and "
        f"{found['ambient']} ambient clips of `{found['clips']}`; old classes were kept by "
        f"{found['rehearsal']}.{added}\n\n{_room(found)}{raised}"
    )


def _room(found: Mapping[str, Any]) -> str:
    alarms = found["alarms"]
    if alarms is None:
        return "Without ambient clips nothing is known of false alarms in this room."
    return (
        f"In {alarms['hours']:.2f} h of ambient clips {alarms['alarms']} alarms are left: at most "
        f"{alarms['at_most_per_day']:.3g} a day (95 %), for a budget of "
        f"{found['false_alarms_per_day']:g}."
    )


def _certificate(found: Mapping[str, Any]) -> str:
    certificate = found["certificate"]
    if not certificate["clips"]:
        return "### Certificate\n\nNone: there were no held-out clips of the old classes."
    rows = "".join(
        f"| {each['label']} | {each['clips']} | {percent(each['f1_before'])} "
        f"| {percent(each['f1_after'])} | {percent(each['average_precision_before'])} "
        f"| {percent(each['average_precision_after'])} |\n"
        for each in certificate["labels"]
    )
    return (
        f"### Certificate\n\nOld classes on {certificate['clips']} held-out clips, before and after; "
        f"{_held_to(certificate)} lost more than {certificate['most_loss']:g} points of F1.\n\n"
        "| label | clips | F1 before | after | average precision before | after |\n"
        f"|---|---|---|---|---|---|\n{rows}{_kept(certificate)}"
    )


def _held_to(certificate: Mapping[str, Any]) -> str:
    """Absent from what older versions wrote."""
    asked = certificate.get("asked")
    return f"of those that the station listens for, {listed(asked)}, none" if asked else "no class"


def _kept(certificate: Mapping[str, Any]) -> str:
    """Absent from what older versions wrote."""
    return "".join(
        f"\nLater bundles are held to {each['clips']} clips of {each['label']}, "
        f"{'from which this one learnt' if each['learnt'] else 'from which it did not learn'}.\n"
        for each in certificate.get("kept", ())
    )


def _doubts(found: Mapping[str, Any]) -> str:
    rows = "".join(
        f"- {each['clip']}: {each['label']} is said to be {'there' if each['said_there'] else 'absent'}, "
        f"the other verdicts give it {each['score']:.2f}.\n"
        for each in found["doubts"]
    )
    return f"### Verdicts for a second look\n\n{rows}" if rows else ""


Section = Callable[[Manifest], str]  # Markdown that begins with its heading; empty: nothing to say

SECTIONS: tuple[Section, ...] = (
    introduction,
    classes,
    learnt_from,
    figures,
    forms,
    leak,
    retraining,
    policies,
    limits,
)


def make_card(manifest: Manifest) -> str:
    """The card in Markdown, from what the manifest and its provenance say."""
    texts = (section(manifest).strip() for section in SECTIONS)
    return "\n\n".join(filter(None, texts)) + "\n"
