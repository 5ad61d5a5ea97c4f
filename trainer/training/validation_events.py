"""What the station would do with the validation clips of a training, before they were trained on."""

from collections.abc import Mapping

import keras
import numpy as np

from listener.detection.policy import LabelPolicy
from listener.detection.scores import slot_boundaries
from trainer.data.clips import without_background
from trainer.data.patches import PatchSource
from trainer.data.targets import clip_targets
from trainer.evaluation import scored_file, station_events
from trainer.training.train import Split, Trained


def validation_events(
    trained: Trained, parts: Split, policies: Mapping[str, LabelPolicy]
) -> station_events.StationEvents | None:
    """Events of the network that was not trained on the validation clips; None without such clips.

    `policies` are by slug, in the order of the scores.

    Raises:
        DataError: a clip cannot be loaded.
    """
    if trained.validated is None or parts.validation is None:
        return None
    frozen = trained.validated.thawed is None
    source = parts.validation.clips if frozen else parts.validation.clips_as_log_mel()
    table = without_background(source.table)
    if not table.clips:
        return None
    files = _score_clips(trained.validated, source)
    exclusive = trained.activation == "softmax"
    each = [clip_targets(clip, table.classes, exclusive=exclusive) for clip in table.clips]
    targets, known = (
        np.concatenate(masks) > 0
        for masks in ([one.values for one in each], [one.known for one in each])
    )
    hop = source.features.patch_hop_seconds
    counts = station_events.count_events(files, policies, hop)
    return station_events.judge_events(counts, files, targets, known, tuple(policies))


def _score_clips(trained: Trained, source: PatchSource) -> list[scored_file.ScoredFile]:
    net = trained.thawed
    if net is None:  # the source's patches are embeddings
        embeddings = keras.Input((len(trained.moments.mean),), name="embeddings")
        net = keras.Model(embeddings, keras.layers.Identity()(embeddings))
    network = trained.network_on(net)
    files = []
    for index, clip in enumerate(source.table.clips):
        patches = source.load(index)
        scores = np.asarray(network(patches.inputs)["scores"])
        boundaries = slot_boundaries(len(scores), patches.seconds, source.features)
        files.append(scored_file.ScoredFile(clip.path.name, scores, boundaries))
    return files
