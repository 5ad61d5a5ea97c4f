"""What counts as found, missed and false, with known scores."""

from __future__ import annotations

import numpy as np

from listener.detection.policy import LabelPolicy
from listener.soundscape.scene import PlacedSound, Scene
from listener.soundscape.synthesis import SAMPLE_RATE_HZ
from trainer.starter.evaluate import Counts, count
from trainer.starter.strips import COLUMNS, LABELS

POLICIES = {
    label.slug: LabelPolicy(on_threshold=0.5, off_threshold=0.3, smoothing_seconds=0.48)
    for label in LABELS
}
SECONDS = 10.0


class LoudIsSiren:
    """An engine that scores every loud patch as a siren, and rain low everywhere."""

    def infer(self, patches):
        scores = np.zeros((len(patches), len(LABELS)), np.float32)
        scores[:, COLUMNS["siren"]] = patches.mean(axis=(1, 2)) > -3.0
        scores[:, COLUMNS["rain"]] = 0.1
        return scores, np.zeros((len(patches), 1), np.float32)


def noise_between(onset: float, offset: float):
    samples = np.zeros(round(SECONDS * SAMPLE_RATE_HZ), np.float32)
    loud = slice(round(onset * SAMPLE_RATE_HZ), round(offset * SAMPLE_RATE_HZ))
    samples[loud] = np.random.default_rng(0).uniform(-1, 1, len(samples[loud]))
    return samples


def test_a_sound_with_an_event_of_its_label_is_found():
    scene = Scene(noise_between(4.0, 7.0), (PlacedSound("siren", 4.0, 7.0),))
    assert count([scene], LoudIsSiren(), POLICIES) == Counts(1, (), (), SECONDS)


def test_another_label_is_missed_and_false():
    scene = Scene(noise_between(4.0, 7.0), (PlacedSound("telephone", 4.0, 7.0),))
    counts = count([scene], LoudIsSiren(), POLICIES)
    assert counts == Counts(1, ("telephone",), ("siren",), SECONDS)
    assert counts.found == 0


def test_an_event_at_another_time_is_false():
    scene = Scene(noise_between(7.0, 9.0), (PlacedSound("siren", 1.0, 3.0),))
    assert count([scene], LoudIsSiren(), POLICIES) == Counts(1, ("siren",), ("siren",), SECONDS)


def test_only_labels_with_a_policy_have_events():
    scene = Scene(noise_between(4.0, 7.0), ())
    policies = {"telephone": POLICIES["telephone"]}
    assert count([scene], LoudIsSiren(), policies) == Counts(0, (), (), SECONDS)


def test_a_sound_without_a_policy_is_not_expected():
    scene = Scene(noise_between(4.0, 7.0), (PlacedSound("siren", 4.0, 7.0),))
    policies = {"telephone": POLICIES["telephone"]}
    assert count([scene], LoudIsSiren(), policies) == Counts(0, (), (), SECONDS)


def test_the_columns_of_a_bundle_with_fewer_labels():
    class OnlySirens(LoudIsSiren):
        def infer(self, patches):
            scores, embeddings = super().infer(patches)
            return scores[:, [COLUMNS["siren"]]], embeddings

    scene = Scene(noise_between(4.0, 7.0), (PlacedSound("siren", 4.0, 7.0),))
    policies = {"siren": POLICIES["siren"]}
    assert count([scene], OnlySirens(), policies, {"siren": 0}) == Counts(1, (), (), SECONDS)
