"""The starter's network and its training, on labels and a teacher's embeddings (arXiv:1503.02531)."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from listener.detection.bundle import Bundle
from listener.detection.features import log_mel_patches
from listener.detection.params import FeatureParams
from listener.engines.engine import Engine
from listener.engines.litert import LiteRTEngine
from trainer.starter.strips import FEATURES, LABELS, PATCHES, StripMaker

log = logging.getLogger(__name__)

FIRST_FILTERS = 24
BLOCKS = (  # (stride, filters) of the separable blocks after the first convolution
    (2, 48),
    (1, 64),
    (2, 128),
    (1, 128),
    (1, 128),
    (2, 256),
    (1, 256),
    (1, 384),
)
_LOG_MEL_MEAN, _LOG_MEL_DEVIATION = (
    -3.0,
    3.0,
)  # about those of any sound, so that training starts well
_DROPOUT = 0.3
_EMBEDDING_WEIGHT = 0.2  # of the teacher's embeddings beside the labels
_MIN_SCORE = 1e-6  # so that the logarithm of a score of 0 is finite
_MAX_DEVIATIONS = 5.0  # where rare values of embeddings are clipped
_MAX_MASKED_FRAMES, _MAX_MASKED_BANDS = 12, 6  # SpecAugment (arXiv:1904.08779)

UNKNOWN = -1.0  # a target where unlabelled audio may hold the label
_HEARD_SCORE = 0.1  # of the teacher, from which on it may
# AudioSet's names for what our labels mean, and for what contains it
TEACHER_CLASSES = {
    "dog": ("Dog", "Bark", "Yip", "Howl", "Bow-wow", "Growling", "Whimper (dog)"),
    "rain": ("Rain", "Raindrop", "Rain on surface"),
    "sea_waves": ("Ocean", "Waves, surf"),
    "crying_baby": ("Baby cry, infant cry", "Crying, sobbing", "Whimper"),
    "clock_tick": ("Clock", "Tick", "Tick-tock"),
    "sneezing": ("Sneeze",),
    "helicopter": ("Helicopter",),
    "chainsaw": ("Chainsaw",),
    "rooster": ("Chicken, rooster", "Crowing, cock-a-doodle-doo"),
    "crackling_fire": ("Fire", "Crackle"),
    "smoke_alarm": ("Smoke detector, smoke alarm", "Fire alarm"),
    "co_alarm": ("Smoke detector, smoke alarm", "Fire alarm"),
    "siren": ("Siren", "Civil defense siren", "Police car (siren)", "Ambulance (siren)"),
    "reversing_beeper": ("Reversing beeps",),
    "doorbell": ("Doorbell", "Ding-dong"),
    "appliance_beep": ("Microwave oven", "Beep, bleep"),
    "telephone": ("Telephone", "Telephone bell ringing", "Ringtone"),
}

_Batch = tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]


@dataclass(frozen=True, slots=True)
class Teacher:
    """YAMNet's engine, and for each label of ours the columns of its classes, perhaps none."""

    engine: Engine
    columns: tuple[tuple[int, ...], ...]

    def hears(self, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Its scores (B, 521) -> where a label of ours may be heard, (B, K)."""
        heard = [scores[:, list(own)].max(axis=1, initial=0.0) for own in self.columns]
        return np.stack(heard, axis=1) >= _HEARD_SCORE


def make_teacher(bundle: Bundle) -> Teacher:
    """Of YAMNet's bundle; classes that it lacks are left out."""
    names = {label.name: column for column, label in enumerate(bundle.manifest.labels)}
    columns = tuple(
        tuple(names[name] for name in TEACHER_CLASSES.get(label.slug, ()) if name in names)
        for label in LABELS
    )
    return Teacher(LiteRTEngine(bundle.model_path), columns)


@dataclass(frozen=True, slots=True)
class Examples:
    """`patches` float16 (N, 96, 64), `targets` float32 (N, K), the teacher's `embeddings` float16 (N, D).

    A target is in [0, 1], or UNKNOWN. Half precision halves the memory: 50 000 patches take 0.7 GB.
    """

    patches: NDArray[np.float16]
    targets: NDArray[np.float32]
    embeddings: NDArray[np.float16]

    def __len__(self) -> int:
        return len(self.patches)


def make_examples(maker: StripMaker, teacher: Teacher, strip_count: int, seed: int) -> Examples:
    """So many strips of PATCHES patches each, always the same for a seed."""
    rng = np.random.default_rng(seed)
    count = strip_count * PATCHES
    blank = np.zeros((1, FEATURES.patch_frames, FEATURES.mel_bands), np.float32)
    examples = Examples(
        np.zeros((count, *blank.shape[1:]), np.float16),
        np.zeros((count, len(LABELS)), np.float32),
        np.zeros((count, teacher.engine.infer(blank)[1].shape[1]), np.float16),
    )
    for number in range(strip_count):
        rows = slice(number * PATCHES, (number + 1) * PATCHES)
        strip = maker.draw(rng)
        patches = log_mel_patches(strip.samples, FEATURES)
        scores, embeddings = teacher.engine.infer(patches)
        examples.patches[rows], examples.targets[rows] = patches, strip.targets
        examples.embeddings[rows] = embeddings
        if strip.unlabelled:
            examples.targets[rows][teacher.hears(scores)] = UNKNOWN
        if number % 1000 == 0:
            log.info("made %d of %d strips", number, strip_count)
    return examples


def build_network(label_count: int, params: FeatureParams) -> keras.Model:
    """An untrained network: log-mel patches (B, 96, 64) -> scores (B, K), embeddings (B, 384).

    Separable blocks as in MobileNet v1 (arXiv:1704.04861). The scores are sigmoids, one independent
    score a label. About 270 000 weights, 13 million multiplications a patch, a fifth of YAMNet's.
    """
    patches = keras.Input((params.patch_frames, params.mel_bands), name="patches")
    x = keras.layers.Reshape((params.patch_frames, params.mel_bands, 1))(patches)
    x = keras.layers.Rescaling(1 / _LOG_MEL_DEVIATION, -_LOG_MEL_MEAN / _LOG_MEL_DEVIATION)(x)
    x = keras.layers.Conv2D(FIRST_FILTERS, 3, 2, "same", use_bias=False)(x)
    x = _normalised(x)
    for stride, filters in BLOCKS:
        x = _normalised(keras.layers.DepthwiseConv2D(3, stride, "same", use_bias=False)(x))
        x = _normalised(keras.layers.Conv2D(filters, 1, use_bias=False)(x))
    embeddings = keras.layers.GlobalAveragePooling2D(name="embeddings")(x)
    dropped = keras.layers.Dropout(_DROPOUT)(embeddings)
    scores = keras.layers.Dense(label_count, activation="sigmoid", name="scores")(dropped)
    return keras.Model(patches, {"scores": scores, "embeddings": embeddings}, name="starter")


def select_labels(network: keras.Model, columns: Sequence[int]) -> keras.Model:
    """The same network with some of its scores only, in this order."""
    kernel, bias = network.get_layer("scores").get_weights()
    chosen = list(columns)
    embeddings = network.output["embeddings"]
    layer = keras.layers.Dense(len(chosen), activation="sigmoid", name="scores")
    selected = keras.Model(
        network.input, {"scores": layer(embeddings), "embeddings": embeddings}, name=network.name
    )
    layer.set_weights([kernel[:, chosen], bias[chosen]])
    return selected


def _normalised(x: Any) -> Any:
    return keras.layers.ReLU()(keras.layers.BatchNormalization()(x))


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast: AdamW, with a learning rate that falls along a cosine to zero."""

    epochs: int = 8
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3


def train(
    network: keras.Model, examples: Examples, schedule: Schedule, seed: int = 0
) -> list[float]:
    """Train the network in place; the mean loss of each epoch."""
    outputs = network.output
    # a layer that predicts the teacher's embedding, dropped after training
    predicted = keras.layers.Dense(examples.embeddings.shape[1], name="teacher")(
        outputs["embeddings"]
    )
    student = keras.Model(network.input, {"scores": outputs["scores"], "teacher": predicted})
    steps = schedule.epochs * (len(examples) // schedule.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(schedule.learning_rate, steps)
    student.compile(
        keras.optimizers.AdamW(rate, schedule.weight_decay),
        loss={"scores": known_cross_entropy, "teacher": "mean_squared_error"},
        loss_weights={"scores": 1.0, "teacher": _EMBEDDING_WEIGHT},
    )
    rng = np.random.default_rng(seed)
    spread = embedding_spread(examples.embeddings)
    means: list[float] = []
    for epoch in range(schedule.epochs):
        batches = _batches(examples, spread, schedule.batch_size, rng)
        losses = [student.train_on_batch(patches, targets)[0] for patches, targets in batches]
        means.append(float(np.mean(losses)))
        log.info("epoch %d: loss %.4f", epoch + 1, means[-1])
    return means


def known_cross_entropy(targets: Any, scores: Any) -> Any:
    """The mean binary cross-entropy (B,) of scores (B, K) over the targets that are not UNKNOWN."""
    known = keras.ops.cast(targets >= 0.0, scores.dtype)
    inside = keras.ops.clip(scores, _MIN_SCORE, 1.0 - _MIN_SCORE)
    losses = targets * keras.ops.log(inside) + (1.0 - targets) * keras.ops.log(1.0 - inside)
    return -keras.ops.sum(losses * known, axis=-1) / keras.ops.maximum(
        keras.ops.sum(known, axis=-1), 1.0
    )


def embedding_spread(embeddings: NDArray[np.float16]) -> NDArray[np.float32]:
    """Mean and deviation of each of the teacher's numbers, float32 (2, D); 1 for a constant one."""
    sample = embeddings[:: max(1, len(embeddings) // 10_000)].astype(np.float32)
    deviation = sample.std(axis=0)
    return np.stack((sample.mean(axis=0), np.where(deviation > 0, deviation, 1.0)))


def _batches(
    examples: Examples, spread: NDArray[np.float32], size: int, rng: np.random.Generator
) -> Iterator[_Batch]:
    order = rng.permutation(len(examples))
    for start in range(0, len(order) - size + 1, size):
        rows = np.sort(order[start : start + size])  # near each other in memory
        embeddings = (examples.embeddings[rows] - spread[0]) / spread[1]
        targets = {
            "scores": examples.targets[rows],
            "teacher": np.minimum(embeddings, _MAX_DEVIATIONS),
        }
        yield mask(examples.patches[rows].astype(np.float32), rng), targets


def mask(patches: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Set some adjacent frames and bands of each patch to the patch's mean, in place."""
    for patch in patches:
        mean = patch.mean()
        patch[_random_slice(len(patch), _MAX_MASKED_FRAMES, rng)] = mean
        patch[:, _random_slice(patch.shape[1], _MAX_MASKED_BANDS, rng)] = mean
    return patches


def _random_slice(length: int, max_width: int, rng: np.random.Generator) -> slice:
    width = rng.integers(max_width + 1)
    start = rng.integers(length - width + 1)
    return slice(start, start + width)


class NetworkEngine:
    """A Keras network as an `Engine`, so that it is measured as the daemon runs it."""

    def __init__(self, network: keras.Model) -> None:
        shape = (None, *network.input_shape[1:])
        # one graph for every batch size; predict_on_batch traces a new one for each
        self._infer = tf.function(
            lambda patches: network(patches, training=False),
            input_signature=[tf.TensorSpec(shape, tf.float32)],
        )

    def infer(
        self, patches: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Log-mel patches (B, 96, 64) -> scores (B, K), embeddings (B, D); see `Engine`."""
        outputs = self._infer(patches)
        return outputs["scores"].numpy(), outputs["embeddings"].numpy()
