"""What a bundle learnt from people, and what that cost its old classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from listener.detection.bundle import Manifest
from trainer.report.words import listed, percent

RETRAINING = (
    "retraining"  # in the provenance: a `Lessons` of trainer.retraining.write as a document
)


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
