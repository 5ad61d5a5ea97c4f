"""`trainer starter`: ESC-10, real audio and generated alarms -> the bundle that ships with the package."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import keras
import numpy as np

from listener.detection.bundle import Bundle, Label, Manifest, read_bundle
from listener.detection.features import log_mel_patches
from listener.detection.policy import LabelPolicy
from listener.soundscape.synthesis import SAMPLE_RATE_HZ
from trainer.export.bundle import check_target, export_bundle
from trainer.provenance import Provenance
from trainer.starter import policies, strips
from trainer.starter.card import is_used, make_card, read_credits
from trainer.starter.evaluate import Figures, ScoreTable, measure
from trainer.starter.real_audio import RealAudio, read_real_audio
from trainer.starter.train import (
    NetworkEngine,
    Schedule,
    build_network,
    make_examples,
    make_teacher,
    select_labels,
    train,
)
from trainer.training.sampling import MEMORY_FILE, Embeddings, memory_bytes, thin_out

log = logging.getLogger(__name__)

TEST_FOLD = 5
_REAL_SHARE = 8  # minutes of real audio for each of generated background
_MEMORY_EMBEDDINGS = 320  # a quarter of a megabyte
_HOURS_OF_A_FOLDER = 0.4  # so that one long album does not take the memory of all others


@dataclass(frozen=True, slots=True)
class Sources:
    """What a starter is made of: folders of audio, and the teacher's bundle.

    `real` audio without labels is trained on, `tune` sets the thresholds; `labelled` has a subfolder of
    real recordings for some of the labels. The last three may be missing: the starter is then worse.
    """

    esc10: Path
    teacher: Path
    real: tuple[Path, ...] = ()
    tune: tuple[Path, ...] = ()
    labelled: Path | None = None


@dataclass(frozen=True, slots=True)
class StarterRecipe:
    """How a starter is made of its sources.

    It is trained on `strip_count` strips of 5.3 s, `epochs` times each. `minutes` of generated background
    and as many of alarms give the card's figures; twice as many others, and eight times as many of real
    audio, set the thresholds. Of its labels those in `labels` are exported, all if there are none.
    """

    strip_count: int = 9000
    epochs: int = 5
    minutes: int = 60
    seed: int = 0
    labels: tuple[str, ...] = ()


def make_starter_bundle(sources: Sources, out: Path, recipe: StarterRecipe) -> Bundle:
    """Train on ESC-10's folds 1 to 4 and write the bundle `starter`; fold 5 only gives figures.

    Raises:
        DataError: ESC-10 or other audio is missing or incomplete.
        TargetError: `out` holds something else than a bundle.
        BundleError: the teacher is not a bundle.
        ParityError: the exported model differs from the trained one.
    """
    check_target(out)
    teacher_bundle = read_bundle(sources.teacher)
    teacher = make_teacher(teacher_bundle)
    authors = read_credits(sources.esc10)
    used = [each for each in strips.read_recordings(sources.esc10) if is_used(each.name, authors)]
    training = [recording for recording in used if recording.fold != TEST_FOLD]
    held_out = [recording for recording in used if recording.fold == TEST_FOLD]
    if sources.labelled is not None:
        training += strips.read_labelled(sources.labelled)
    maker = strips.StripMaker(training, _read(sources.real, strips.STRIP_SAMPLES, recipe.seed))
    examples = make_examples(maker, teacher, recipe.strip_count, recipe.seed)
    keras.utils.set_random_seed(recipe.seed)
    network = build_network(len(strips.LABELS), strips.FEATURES)
    train(network, examples, Schedule(epochs=recipe.epochs), recipe.seed)
    engine = NetworkEngine(network)
    log.info("setting the thresholds")
    cut_samples = round(policies.REAL_CUT_SECONDS * SAMPLE_RATE_HZ)
    tune = _read(sources.tune, cut_samples, recipe.seed + 1)
    tuned: Iterable[ScoreTable] = ()
    if tune is not None:
        minutes = _REAL_SHARE * recipe.minutes
        tuned = policies.score_real_audio(tune, minutes, engine, teacher, recipe.seed)
    found = policies.calibrate(engine, training, 2 * recipe.minutes, recipe.seed, tuned)
    labels = tuple(
        label for label in strips.LABELS if label.slug in recipe.labels or not recipe.labels
    )
    log.info("measuring on held-out audio")
    exported = {label.slug: found[label.slug] for label in labels}
    figures = measure(engine, exported, held_out, recipe.minutes, recipe.seed)
    manifest = _manifest(labels, exported, teacher_bundle, figures, recipe)
    chosen = select_labels(network, [strips.COLUMNS[label.slug] for label in labels])
    card = make_card(chosen, manifest, figures, authors)
    memory = {MEMORY_FILE: memory_bytes(_memory(engine, training))}
    return export_bundle(out, chosen, manifest, card, files=memory)


def _read(folders: Sequence[Path], cut_samples: int, seed: int) -> RealAudio | None:
    return read_real_audio(folders, _HOURS_OF_A_FOLDER, cut_samples, seed) if folders else None


def _memory(engine: NetworkEngine, recordings: Sequence[strips.Recording]) -> Embeddings:
    """Embeddings of every recording, so that a retraining does not forget them."""
    of_each = max(1, _MEMORY_EMBEDDINGS // len(recordings))
    embedded = [
        engine.infer(log_mel_patches(recording.samples, strips.FEATURES))[1]
        for recording in recordings
    ]
    return np.concatenate([thin_out(embeddings, of_each) for embeddings in embedded])


def _manifest(
    labels: tuple[Label, ...],
    exported: Mapping[str, LabelPolicy],
    teacher: Bundle,
    figures: Figures,
    recipe: StarterRecipe,
) -> Manifest:
    return Manifest(
        name="starter",
        version=1,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        labels=labels,
        policies=dict(exported),
        features=strips.FEATURES,
        provenance=dict(
            Provenance(
                data="ESC-10, folds 1 to 4 (5 is for testing), generated alarms, and real audio of "
                "Debian's packages",
                licences={
                    "data": "CC BY 3.0, CC0 and those of the packages",
                    "teacher": "Apache-2.0",
                },
                teacher=teacher.id,
                seed=recipe.seed,
                strips=recipe.strip_count,
                epochs=recipe.epochs,
                metrics=figures.as_dict(),
            )
        ),
    )
