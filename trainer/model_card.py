"""The card of a bundle: Markdown for people, made of what the manifest and its provenance say."""

from collections.abc import Iterator

from listener.detection import bundle, policy
from trainer.data.files import NOT_STATED
from trainer.formatting import TEMPLATES, listed, main_figures
from trainer.provenance import provenance_of

MOST_LABELS = 60  # in the card; the report has them all
FEW_CLIPS = 20  # one more wrong is 5 points
MOST_NAMED = 10  # labels in a sentence


def make_card(manifest: bundle.Manifest) -> str:
    """The card in Markdown; of what is not known, a section says so or is left out."""
    policies: dict[policy.LabelPolicy, list[str]] = {}
    for label in manifest.labels:
        policies.setdefault(manifest.policies[label.slug], []).append(label.slug)
    card = TEMPLATES.get_template("card.md.j2").render(
        manifest=manifest,
        known=provenance_of(manifest),
        policies=policies,
        main_figures=main_figures,
        limits=limit_lines(manifest),
        most_labels=MOST_LABELS,
        not_stated=NOT_STATED,
    )
    return card.strip() + "\n"


def limit_lines(manifest: bundle.Manifest) -> Iterator[str]:
    """What follows from what was, and was not, measured; one sentence each."""
    known = provenance_of(manifest)
    yield "Do not rely on it for safety: a sound may be missed."
    yield "Do not compare scores of two classes: each class has a threshold of its own."
    if (found := known.get("evaluation")) is not None:
        few = [each["label"] for each in found["clip"]["labels"] if each["clips"] < FEW_CLIPS]
        more = f" and {len(few) - MOST_NAMED} more" if len(few) > MOST_NAMED else ""
        if few:
            names = listed(few[:MOST_NAMED])
            yield f"Under {FEW_CLIPS} clips, so the figure is a guess: {names}{more}."
        if found["events"] is None:
            yield "No clip says when its label is heard: onsets and offsets were not measured."
        if found["ambient"] is None:
            yield "No ambient audio was given: nothing is known of false alarms in a room."
        if not found["robustness"]:
            yield "Not tried in noise, reverb, at other levels or with less bandwidth."
    if (calibration := known.get("calibration")) is None:
        yield "The policies are defaults and not calibrated."
    elif not calibration["claimed"]:
        yield "The budget of false alarms cannot be claimed, see Policies."
