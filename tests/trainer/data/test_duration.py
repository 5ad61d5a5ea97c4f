"""A taught label begins with the policy of its sounds' length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from listener.detection.bundle import Label
from listener.detection.clip import LabelSpan
from listener.detection.params import FeatureParams
from listener.detection.policy import DurationClass, policy_for
from tests.trainer.training.tones import RATE_HZ, tone
from trainer.data.clips import Clip, ClipTable
from trainer.data.duration import class_seconds, classify, sounding_seconds, taught_policies

PARAMS = FeatureParams()


def sounds(*pauses_and_lengths: float, seconds: float = 6.0):
    """Silence with a tone: a pause, then a sound, another pause, another sound."""
    parts = [
        tone(500.0, 0.5, each) if number % 2 else np.zeros(round(each * RATE_HZ), np.float32)
        for number, each in enumerate(pauses_and_lengths)
    ]
    samples = np.concatenate(parts)
    return np.pad(samples, (0, round(seconds * RATE_HZ) - len(samples)))


def clip(folder: Path, name: str, samples: np.ndarray, *spans: LabelSpan) -> Clip:
    path = folder / f"{name}.wav"
    soundfile.write(path, samples, RATE_HZ)
    return Clip(path, frozenset({"knock"}), name, 1, spans=spans)


@pytest.mark.parametrize(
    ("parts", "seconds"),
    [
        ((2.0, 0.1), 0.1),
        ((1.0, 1.5), 1.5),
        ((0.5, 0.2, 0.5, 0.2), 0.9),  # a patch holds both: the scores stay high between
        ((0.5, 0.2, 2.0, 0.3), 0.3),
        ((0.0, 6.0), 6.0),
    ],
)
def test_a_sound_lasts_until_a_pause_of_a_patch(parts: tuple[float, ...], seconds: float):
    assert sounding_seconds(sounds(*parts), PARAMS) == pytest.approx(seconds, abs=0.051)


def test_what_is_much_fainter_is_not_the_sound():
    room = 0.02 * sounds(0.0, 6.0)  # 34 dB below
    assert sounding_seconds(room + sounds(2.0, 0.2), PARAMS) == pytest.approx(0.2, abs=0.051)


@pytest.mark.parametrize("samples", [np.zeros(RATE_HZ, np.float32), np.empty(0, np.float32)])
def test_silence_lasts_no_time(samples: np.ndarray):
    assert sounding_seconds(samples, PARAMS) == 0.0


@pytest.mark.parametrize(
    ("seconds", "found"),
    [
        ([], DurationClass.SUSTAINED),
        ([0.1, 0.4, 0.5], DurationClass.IMPULSIVE),
        ([0.2, 0.9, 3.0, 4.0], DurationClass.SHORT),
        ([3.0, 4.0, 5.0], DurationClass.SUSTAINED),
    ],
)
def test_three_of_four_sounds_are_as_long_as_their_class(
    seconds: list[float], found: DurationClass
):
    assert classify(seconds) is found


def test_labelled_spans_count_and_other_clips_are_measured(tmp_path: Path):
    clips = (
        clip(tmp_path, "spans", sounds(1.0, 4.0), LabelSpan("knock", 1.0, 1.25)),
        clip(tmp_path, "whole", sounds(1.0, 0.1)),
        Clip(tmp_path / "missing.wav", frozenset({"knock"}), "missing", 1),
        Clip(tmp_path / "both.wav", frozenset({"knock", "hum"}), "both", 1),
    )
    table = ClipTable(clips, ("hum", "knock"))
    assert class_seconds(table, "knock", PARAMS) == pytest.approx([0.25, 0.1], abs=0.051)


def test_each_label_has_the_policy_of_its_class(tmp_path: Path):
    table = ClipTable((clip(tmp_path, "a", sounds(1.0, 0.1)),), ("hum", "knock"))
    labels = (Label("a_hum", "hum"), Label("a_knock", "knock"))
    assert taught_policies(table, labels, PARAMS) == {
        "a_hum": policy_for(DurationClass.SUSTAINED),
        "a_knock": policy_for(DurationClass.IMPULSIVE),
    }
