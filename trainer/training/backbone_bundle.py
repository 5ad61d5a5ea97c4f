"""YAMNet's SavedModel -> a bundle of the 521 AudioSet classes."""

import logging
from datetime import UTC, datetime
from pathlib import Path

from listener.detection import bundle, params, policy
from trainer.config import Storage
from trainer.errors import BackboneError
from trainer.export.bundle import check_target, export_bundle
from trainer.labels import make_labels
from trainer.model.backbones import resolve_handle
from trainer.model.yamnet import EMBEDDING_SIZE, AudioSetClass, load_yamnet, read_class_map
from trainer.provenance import Provenance

log = logging.getLogger(__name__)

LICENCE = "Apache-2.0"
CREDITS = "YAMNet by Manoj Plakal and Dan Ellis, Google, trained on AudioSet (Gemmeke et al. 2017)"
# A start for scores that are not calibrated class by class, from the 400 recordings of ESC-10.
# With a median of 1.44 s, an on_threshold of 0.4 gives 66 % of them their own label (0.3: 69 %,
# 0.5: 62 %, 0.6: 56 %) and 4 % the label of another of the ten classes (0.3: 5 %, 0.5: 3 %).
# Closing at half of it and bridging 1 s leaves 1.07 events a recording; 0.3 without it, 1.16.
DEFAULT_POLICY = policy.LabelPolicy(
    on_threshold=0.4, off_threshold=0.2, smoothing_seconds=1.44, max_gap_seconds=1.0
)
_CARD = """\
# YAMNet, {count} classes of AudioSet

{credits}. Licence: {licence}. Made from `{handle}` by `trainer backbone`.

- Input: 16 kHz mono; log-mel patches of {patch} s, one every {hop} s.
- Output: {count} independent scores in [0, 1] (sigmoid) and an embedding of {embedding} numbers.
- Weights: {parameters:,}, stored as {storage}, not changed by any training here.

The scores are not calibrated: 0.4 does not mean the same for two classes. All classes share one
policy: on {policy.on_threshold}, off {policy.off_threshold}, median {policy.smoothing_seconds} s,
gaps up to {policy.max_gap_seconds} s bridged. It was chosen by the scores of ESC-10's recordings
and not evaluated on other data. AudioSet's labels are weak (10 s clips) and its classes nest: one
sound often makes several labels active, so that a bark is also `dog` and `animal`.
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
        policy=DEFAULT_POLICY,
        storage=storage,
        credits=CREDITS,
        licence=LICENCE,
    )
    return export_bundle(out, model, _manifest(handle, classes, features), card, storage)


def _manifest(
    handle: str, classes: list[AudioSetClass], features: params.FeatureParams
) -> bundle.Manifest:
    labels = make_labels(audio_class.name for audio_class in classes)
    return bundle.Manifest(
        name="yamnet",
        version=1,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        labels=labels,
        policies={label.slug: DEFAULT_POLICY for label in labels},
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
