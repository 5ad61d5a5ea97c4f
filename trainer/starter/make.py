"""`trainer starter`: ESC-10 and generated alarms -> the bundle that ships with the package."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import keras

from listener.detection.bundle import Bundle, Manifest, read_bundle
from listener.detection.policy import LabelPolicy
from listener.engines.litert import LiteRTEngine
from trainer.export.bundle import check_target, export_bundle
from trainer.provenance import Provenance
from trainer.starter.card import is_used, make_card, read_credits
from trainer.starter.evaluate import Figures, measure
from trainer.starter.policies import calibrate
from trainer.starter.strips import FEATURES, LABELS, read_recordings
from trainer.starter.train import NetworkEngine, Schedule, build_network, make_examples, train

log = logging.getLogger(__name__)

TEST_FOLD = 5


@dataclass(frozen=True, slots=True)
class StarterRecipe:
    """How a starter is made of the recordings and the teacher.

    It is trained on `strip_count` strips of 5.3 s, `epochs` times each. `minutes` of generated background
    and as many of alarms give the card's figures; twice as many others set the thresholds.
    """

    strip_count: int = 14_000
    epochs: int = 6
    minutes: int = 60
    seed: int = 0


def make_starter_bundle(esc10: Path, teacher: Path, out: Path, recipe: StarterRecipe) -> Bundle:
    """Train on ESC-10's folds 1 to 4 and write the bundle `starter`; fold 5 only gives figures.

    Raises:
        DataError: ESC-10 is missing or incomplete.
        TargetError: `out` holds something else than a bundle.
        BundleError: the teacher is not a bundle.
        ParityError: the exported model differs from the trained one.
    """
    check_target(out)
    teacher_bundle = read_bundle(teacher)
    authors = read_credits(esc10)
    used = [recording for recording in read_recordings(esc10) if is_used(recording.name, authors)]
    training = [recording for recording in used if recording.fold != TEST_FOLD]
    held_out = [recording for recording in used if recording.fold == TEST_FOLD]
    teacher_engine = LiteRTEngine(teacher_bundle.model_path)
    examples = make_examples(training, teacher_engine, recipe.strip_count, recipe.seed)
    keras.utils.set_random_seed(recipe.seed)
    network = build_network(len(LABELS), FEATURES)
    train(network, examples, Schedule(epochs=recipe.epochs), recipe.seed)
    engine = NetworkEngine(network)
    log.info("setting the thresholds")
    policies = calibrate(engine, training, 2 * recipe.minutes, recipe.seed)
    log.info("measuring on held-out audio")
    figures = measure(engine, policies, held_out, recipe.minutes, recipe.seed)
    manifest = _manifest(policies, teacher_bundle, figures, recipe)
    card = make_card(network, manifest, figures, authors)
    return export_bundle(out, network, manifest, card, with_saved_model=False)


def _manifest(
    policies: Mapping[str, LabelPolicy], teacher: Bundle, figures: Figures, recipe: StarterRecipe
) -> Manifest:
    return Manifest(
        name="starter",
        version=1,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        labels=LABELS,
        policies=dict(policies),
        features=FEATURES,
        provenance=dict(
            Provenance(
                data="ESC-10, folds 1 to 4 (5 is for testing), and generated alarms",
                licences={"data": "CC BY 3.0 and CC0", "teacher": "Apache-2.0"},
                teacher=teacher.id,
                seed=recipe.seed,
                strips=recipe.strip_count,
                epochs=recipe.epochs,
                metrics=figures.as_dict(),
            )
        ),
    )
