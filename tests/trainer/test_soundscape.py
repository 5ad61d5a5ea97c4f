"""`trainer soundscape`: scenes on disk whose truth our own reader understands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from listener.soundscape.schedule import SceneSpec, random_scene
from listener.soundscape.synthesis import SAMPLE_RATE_HZ
from tests.trainer.test_cli import assert_one_line, run
from trainer.data.formats import read_clips
from trainer.errors import DataError, TargetError
from trainer.soundscape import make_scene_spec, with_backgrounds, with_clips, write_soundscapes

SHORT = SceneSpec(seconds=4.0, shortest_seconds=1.0, longest_seconds=1.5)


def write_tone(path: Path, hz: float, seconds: float = 2.0, rate_hz: int = SAMPLE_RATE_HZ) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * hz * times), rate_hz)


def test_scenes_tracks_and_truth_are_written(tmp_path: Path):
    truth = write_soundscapes(tmp_path / "scenes", SHORT, count=2, seed=0)
    assert truth == tmp_path / "scenes" / "truth.csv"
    assert sorted(path.name for path in truth.parent.iterdir()) == [
        "scene_0000.flac", "scene_0000.txt", "scene_0001.flac", "scene_0001.txt", "truth.csv",
    ]  # fmt: skip
    scene = random_scene(SHORT, seed=0)
    samples, rate_hz = soundfile.read(truth.parent / "scene_0000.flac", dtype="float32")
    assert rate_hz == SAMPLE_RATE_HZ
    np.testing.assert_allclose(samples, scene.samples, atol=1 / 32768)
    first = scene.truth[0]
    assert truth.read_text(encoding="utf-8").splitlines()[:2] == [
        "filename,onset,offset,event_label",
        f"scene_0000.flac,{first.onset:.3f},{first.offset:.3f},{first.label}",
    ]
    track = (truth.parent / "scene_0000.txt").read_text(encoding="utf-8")
    assert track.splitlines()[0] == f"{first.onset:.3f}\t{first.offset:.3f}\t{first.label}"


def test_our_own_reader_reads_it_back(tmp_path: Path):
    write_soundscapes(tmp_path / "scenes", SHORT, count=7, seed=3)
    read = read_clips([tmp_path / "scenes"])
    spans = [(span.label, span.onset, span.offset) for clip in read.clips for span in clip.spans]
    made = [random_scene(SHORT, 3_000_000 + number).truth for number in range(7)]
    expected = [(sound.label, sound.onset, sound.offset) for truth in made for sound in truth]
    assert sorted(spans) == sorted(expected)


def test_two_seeds_share_no_scene(tmp_path: Path):
    tables = [
        write_soundscapes(tmp_path / str(seed), SHORT, count=3, seed=seed).read_text()
        for seed in (1, 2)
    ]
    assert tables[0] != tables[1]


def test_given_clips_are_sounds_with_the_name_of_their_folder(tmp_path: Path):
    write_tone(tmp_path / "clips" / "kettle" / "a.wav", 1000.0, rate_hz=44_100)
    programme = with_clips(SHORT, tmp_path / "clips")
    (kettle,) = programme.sounds["kettle"]
    played = kettle(1.0, np.random.default_rng(0))
    assert len(played) == SAMPLE_RATE_HZ
    assert np.abs(np.fft.rfft(played)).argmax() == 1000  # Hz, a bin each in one second
    assert "siren" in programme.sounds


def test_given_backgrounds_are_played_in_place_of_noise(tmp_path: Path):
    write_tone(tmp_path / "street.wav", 250.0)
    silent = SceneSpec(seconds=2.0, sounds_per_scene=0)
    scene = random_scene(with_backgrounds(silent, tmp_path), seed=0)
    assert np.abs(np.fft.rfft(scene.samples)).argmax() == 500  # two bins a hertz


def test_wrong_inputs_are_one_clear_line(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="expected a folder of audio files, found none"):
        with_backgrounds(SHORT, tmp_path / "missing")
    with pytest.raises(DataError, match="expected a folder of clips for each label"):
        with_clips(SHORT, tmp_path / "empty")
    with pytest.raises(
        DataError, match="expected a folder of clips for each label, found no folder"
    ):
        with_clips(SHORT, tmp_path / "missing")
    with pytest.raises(DataError, match="expected at most 1 of 10 s in 10 s, got 2"):
        make_scene_spec(seconds=10.0, sounds_per_scene=2, snr_db=10.0, reverb_seconds=0.0)
    with pytest.raises(TargetError, match="expected a new or empty folder"):
        write_soundscapes(tmp_path, SHORT, count=1, seed=0)


def test_the_command_prints_the_path_of_the_truth(tmp_path: Path):
    out = tmp_path / "scenes"
    result = run("soundscape", "--out", out, "--hours", "0.005", "--seconds", "20", "--sounds", "1")
    assert result.returncode == 0, result.stderr
    assert result.stdout == f"{out / 'truth.csv'}\n"
    assert len(list(out.glob("*.flac"))) == 1  # 18 s, rounded up to whole scenes
    assert_one_line(run("soundscape", "--out", out), 2, "expected a new or empty folder")


@pytest.mark.parametrize("option", ["--clips", "--backgrounds"])
def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path, option: str):
    missing = tmp_path / "nowhere"
    result = run("soundscape", "--out", tmp_path / "scenes", option, missing)
    assert_one_line(result, 2, f"{missing}: expected a folder of")
    assert not (tmp_path / "scenes").exists()
