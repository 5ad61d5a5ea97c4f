"""YAMNet's SavedModel -> a bundle of the 521 AudioSet classes."""

import logging
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from listener.detection import bundle, params
from listener.detection.policy import DurationClass
from trainer.config import Storage
from trainer.errors import BackboneError
from trainer.export.bundle import check_target, export_bundle
from trainer.labels import make_labels
from trainer.model.backbones import resolve_handle
from trainer.model.yamnet import EMBEDDING_SIZE, AudioSetClass, load_yamnet, read_class_map
from trainer.provenance import Provenance
from trainer.training.yamnet_policies import SMOOTHING_SECONDS, read_yamnet_policies

log = logging.getLogger(__name__)

LICENCE = "Apache-2.0"
CREDITS = "YAMNet by Manoj Plakal and Dan Ellis, Google, trained on AudioSet (Gemmeke et al. 2017)"
_CARD = """\
# YAMNet, {count} classes of AudioSet

{credits}. Licence: {licence}. Made from `{handle}` by `trainer backbone`.

- Input: 16 kHz mono; log-mel patches of {patch} s, one every {hop} s.
- Output: {count} independent scores in [0, 1] (sigmoid) and an embedding of {embedding} numbers.
- Weights: {parameters:,}, stored as {storage}, not changed by any training here.

The scores are not calibrated: 0.4 does not mean the same for two classes. A class's policy follows from
how long its sound lasts: {classes}. The
classes of the predefined groups of the home have thresholds measured on real audio. AudioSet's labels
are weak (10 s clips) and its classes nest: one sound often makes several labels active, so that a bark
is also `dog` and `animal`.
"""


def make_backbone_bundle(
    handle: str, out: Path, features: params.FeatureParams, storage: Storage = "float32"
) -> bundle.Bundle:
    """Resolve the handle and write its bundle, `yamnet` version 1, to `out`.

    Raises:
        BackboneError: the handle does not lead to a YAMNet.
        TargetError: `out` holds something else than a bundle.
        ParityError: the storage changes the scores too much.
        BundleError: the golden check failed.
    """
    check_target(out)
    saved_model = resolve_handle(handle)
    log.info("reading the weights of %s", saved_model)
    model = load_yamnet(saved_model, features)
    classes = read_class_map(saved_model)
    count = model.get_layer("scores").units
    if len(classes) != count:
        raise BackboneError(
            f"{saved_model}: expected a class map of {count} names, found {len(classes)}"
        )
    card = _CARD.format(
        count=count,
        embedding=EMBEDDING_SIZE,
        parameters=model.count_params(),
        handle=handle,
        patch=features.patch_seconds,
        hop=features.patch_hop_seconds,
        classes=_describe_classes(classes),
        storage=storage,
        credits=CREDITS,
        licence=LICENCE,
    )
    return export_bundle(out, model, _manifest(handle, classes, features), card, storage)


def _describe_classes(classes: list[AudioSetClass]) -> str:
    """`60 impulsive (no median), 50 short (a median of 0.72 s), ... 80 of the home (...)`."""
    policies = read_yamnet_policies()
    others = [each.name for each in classes if policies.group_of(each.name) is None]
    counts = Counter(policies.duration_class(name) for name in others)
    medians = {
        duration: f"{seconds:g} s median" if seconds else "no median"
        for duration, seconds in SMOOTHING_SECONDS.items()
    }
    home = medians[DurationClass.SUSTAINED]
    kinds = [f"{counts[each]} {each} ({medians[each]})" for each in DurationClass]
    return ", ".join([*kinds, f"{len(classes) - len(others)} of the home ({home})"])


def _manifest(
    handle: str, classes: list[AudioSetClass], features: params.FeatureParams
) -> bundle.Manifest:
    labels = make_labels(audio_class.name for audio_class in classes)
    policies = read_yamnet_policies()
    return bundle.Manifest(
        name="yamnet",
        version=1,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        labels=labels,
        policies={label.slug: policies.policy(label.name) for label in labels},
        features=features,
        provenance=dict(
            Provenance(
                handle=handle,
                licence=LICENCE,
                credits=CREDITS,
                data="AudioSet",
                audioset_mids=[audio_class.mid for audio_class in classes],
            )
        ),
    )
