"""The starter bundle is complete and small, and detects what its card says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from listener.commands.demo_screen import make_demo_scene
from listener.config.station import ConfigError
from listener.detection.audio import Samples
from listener.detection.bundle import Bundle, check_golden, read_bundle
from listener.detection.event import SoundEvent
from listener.detection.features import log_mel_patches
from listener.detection.hysteresis import detect_events
from listener.detection.scores import slot_boundaries
from listener.engines.litert import LiteRTEngine
from listener.soundscape.scene import mix_scene
from listener.soundscape.schedule import SceneSpec, random_scene
from listener.soundscape.sounds import ALARMS
from listener.soundscape.synthesis import SAMPLE_RATE_HZ
from listener.starter import starter_bundle_path
from tests.shared import read_esc10, read_waveform

RECORDED = ("dog", "crying_baby")
GENERATED = ("smoke_alarm", "co_alarm", "reversing_beeper", "appliance_beep")


@pytest.fixture(scope="module")
def starter() -> Bundle:
    return read_bundle(starter_bundle_path())


@pytest.fixture(scope="module")
def engine(starter: Bundle) -> LiteRTEngine:
    return LiteRTEngine(starter.model_path)


def scores_of(samples: Samples, starter: Bundle, engine: LiteRTEngine):
    return engine.infer(log_mel_patches(samples, starter.manifest.features))[0]


def events_in(samples: Samples, starter: Bundle, engine: LiteRTEngine) -> list[SoundEvent]:
    features = starter.manifest.features
    scores = scores_of(samples, starter, engine)
    boundaries = slot_boundaries(len(scores), len(samples) / SAMPLE_RATE_HZ, features)
    policies = {label: starter.manifest.policies[label] for label in starter.labels}
    return detect_events(scores, boundaries, policies, features.patch_hop_seconds)


def test_it_is_complete_and_gives_its_golden_scores(starter: Bundle, engine: LiteRTEngine):
    assert starter.id.startswith("starter@")
    assert check_golden(starter, engine.infer) < 1e-3
    assert set(starter.labels) == {*RECORDED, *GENERATED}


def test_it_is_at_most_4_5_mb_and_can_be_retrained(starter: Bundle):
    files = {file.name for file in starter.path.iterdir()}
    assert {"saved_model", "memory.npz"} <= files
    sizes = [file.stat().st_size for file in starter.path.rglob("*") if file.is_file()]
    assert sum(sizes) <= 4.5e6


def test_its_card_credits_the_recordings(starter: Bundle):
    card = (starter.path / "card.md").read_text(encoding="utf-8")
    for owed in ("K. J. Piczak", "CC BY 3.0", "soundscalpel.com (CC-BY)", "YAMNet", "Apache-2.0"):
        assert owed in card


@pytest.mark.parametrize("label", GENERATED)
def test_it_detects_every_alarm_10_db_above_the_background(
    label: str, starter: Bundle, engine: LiteRTEngine
):
    only = SceneSpec(seconds=20.0, sounds_per_scene=1, sounds={label: ALARMS[label]})
    for seed in range(3):
        scene = random_scene(only, seed)
        (sound,) = scene.truth
        found = events_in(scene.samples, starter, engine)
        assert {event.label for event in found} == {label}
        assert any(event.onset < sound.offset for event in found)


def test_it_detects_nothing_in_silence_and_background(starter: Bundle, engine: LiteRTEngine):
    empty = SceneSpec(seconds=60.0, sounds_per_scene=0, background_dbfs=(-60.0, -20.0))
    assert events_in(np.zeros(10 * SAMPLE_RATE_HZ, np.float32), starter, engine) == []
    for seed in range(5):
        assert events_in(random_scene(empty, seed).samples, starter, engine) == []


@pytest.mark.parametrize("label", RECORDED)
def test_it_hears_most_of_the_fifth_fold_of_esc10(
    label: str, shared: Path, starter: Bundle, engine: LiteRTEngine
):
    held_out = [each for each in read_esc10(shared) if each.fold == 5 and each.category == label]
    found = [events_in(read_waveform(each.path), starter, engine) for each in held_out]
    heard = [any(event.label == label for event in events) for events in found]
    assert np.mean(heard) >= 0.75


def test_the_demo_plays_sounds_that_the_bundle_knows(starter: Bundle):
    heard = [sound.label for sound in make_demo_scene(starter.labels).truth]
    assert heard == ["smoke_alarm", "reversing_beeper", "appliance_beep"]
    yamnet: Sequence[str] = ["smoke_detector_smoke_alarm", "busy_signal", "pink_noise", "speech"]
    assert [sound.label for sound in make_demo_scene(yamnet).truth] == yamnet[:3]
    assert [sound.label for sound in make_demo_scene(["speech", "siren"]).truth] == ["siren"]


def test_the_demo_needs_a_label_that_it_can_play():
    with pytest.raises(ConfigError, match="bundle: expected one of the labels smoke_alarm, siren"):
        make_demo_scene(["speech"])


def test_it_detects_every_sound_of_the_demo(starter: Bundle, engine: LiteRTEngine):
    scene = make_demo_scene(starter.labels)
    found = events_in(scene.samples, starter, engine)
    assert [event.label for event in found] == [sound.label for sound in scene.truth]


def test_a_scene_without_sounds_is_only_background(starter: Bundle, engine: LiteRTEngine):
    assert events_in(mix_scene([], 10.0, snr_db=0.0).samples, starter, engine) == []
