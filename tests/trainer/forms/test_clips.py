"""No clip both shows the ranges and judges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.trainer.data.doubles import PARAMS, make_clip, make_table, write_tone
from trainer.errors import DataError
from trainer.forms.clips import representative_patches, split_clips


@pytest.mark.parametrize(("clips", "first"), [(2, 1), (19, 1), (20, 2), (80, 8), (1_000, 40)])
def test_one_clip_in_ten_is_not_judged_by(clips: int, first: int):
    table = make_table(*(make_clip(Path(f"{number}.wav")) for number in range(clips)))
    for_ranges, to_judge = split_clips(table)
    assert len(for_ranges.clips) == first
    assert sorted(for_ranges.clips + to_judge.clips, key=table.clips.index) == list(table.clips)


def test_one_clip_is_too_few():
    with pytest.raises(DataError, match="expected at least 2 clips to judge forms by, got 1"):
        split_clips(make_table(make_clip(Path("a.wav"))))


def test_patches_come_from_all_over_the_clips(tmp_path: Path):
    """82 patches of 40 s and 3 of 2 s are few enough; with 167 of 81 s, every other.

    The last patch of each is padded with silence, and so is left out.
    """
    lengths = {"a.wav": 40.0, "b.wav": 0.5, "c.wav": 2.0}
    clips = [make_clip(write_tone(tmp_path / name, seconds)) for name, seconds in lengths.items()]
    few = representative_patches(make_table(*clips), PARAMS)
    assert few.shape == (82 + 0 + 3, 96, 64)
    clips.append(make_clip(write_tone(tmp_path / "d.wav", 81.0)))
    many = representative_patches(make_table(*clips), PARAMS)
    assert len(many) == (85 + 167) / 2
    assert many.dtype == np.float32


def test_what_cannot_be_read_is_left_out_and_silence_stays_where_it_is_everywhere(tmp_path: Path):
    (tmp_path / "text.wav").write_text("not audio")
    bad, good = make_clip(tmp_path / "text.wav"), make_clip(write_tone(tmp_path / "a.wav", 0.5))
    assert len(representative_patches(make_table(bad, good), PARAMS)) == 1
    with pytest.raises(DataError, match="expected clips that can be read, got none of 1"):
        representative_patches(make_table(bad), PARAMS)
