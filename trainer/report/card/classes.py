"""What can be heard, and how its scores are to be read."""

from __future__ import annotations

from listener.detection.bundle import Manifest

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
