"""`trainer starter`: ESC-10 and generated alarms -> the bundle that ships with the package."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import keras

from listener.detection.bundle import Bundle, Manifest, read_bundle
from listener.detection.policy import LabelPolicy
from listener.engines.litert import LiteRTEngine
from trainer.export.bundle import check_target, export_bundle
from trainer.provenance import Provenance
from trainer.starter.card import Credit, is_used, make_card, read_credits
from trainer.starter.evaluate import Figures, measure
from trainer.starter.policies import calibrate
from trainer.starter.strips import FEATURES, LABELS, Recording, read_recordings
from trainer.starter.train import NetworkEngine, Schedule, build_network, make_examples, train

log = logging.getLogger(__name__)

TEST_FOLD = 5


@dataclass(frozen=True, slots=True)
class StarterRecipe:
    """What the starter follows from, beside the recordings and the teacher.

    `strip_count` strips of 5.3 s are learnt from, `epochs` times each. `minutes` of generated background
    and as many of alarms give the card's figures; twice as many others set the thresholds.
    """

    strip_count: int = 14_000
    epochs: int = 6
    minutes: int = 60
    seed: int = 0


def make_starter_bundle(esc10: Path, teacher: Path, out: Path, recipe: StarterRecipe) -> Bundle:
    """Learn from ESC-10's folds 1 to 4 and write the bundle `starter`; fold 5 only gives figures.

    Raises:
        DataError: ESC-10 is not there or not whole.
        TargetError: `out` holds something else than a bundle.
        BundleError: the teacher is no bundle.
        ParityError: the exported model differs from the trained one.
    """
    check_target(out)
    taught_by = read_bundle(teacher)
    authors = read_credits(esc10)
    learnt, held_out = _split(esc10, authors)
    network = _teach(learnt, taught_by, recipe)
    engine = NetworkEngine(network)
    log.info("setting the thresholds")
    policies = calibrate(engine, learnt, 2 * recipe.minutes, recipe.seed)
    log.info("measuring on what was not learnt from")
    figures = measure(engine, policies, held_out, recipe.minutes, recipe.seed)
    manifest = _manifest(policies, taught_by, figures, recipe)
    card = make_card(network, manifest, figures, authors)
    return export_bundle(out, network, manifest, card, with_saved_model=False)


def _split(esc10: Path, authors: Sequence[Credit]) -> tuple[list[Recording], list[Recording]]:
    used = [clip for clip in read_recordings(esc10) if is_used(clip.name, authors)]
    learnt = [recording for recording in used if recording.fold != TEST_FOLD]
    return learnt, [recording for recording in used if recording.fold == TEST_FOLD]


def _teach(learnt: Sequence[Recording], teacher: Bundle, recipe: StarterRecipe) -> keras.Model:
    engine = LiteRTEngine(teacher.model_path)
    examples = make_examples(learnt, engine, recipe.strip_count, recipe.seed)
    keras.utils.set_random_seed(recipe.seed)
    network = build_network(len(LABELS), FEATURES)
    train(network, examples, Schedule(epochs=recipe.epochs), recipe.seed)
    return network


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
