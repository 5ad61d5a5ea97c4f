"""Labels: a slug for every name, each once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from trainer.labels import make_labels, slug_of


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Dog", "dog"),
        ("Chicken, rooster", "chicken_rooster"),
        ("Dental drill, dentist's drill", "dental_drill_dentists_drill"),
        ("Outside, urban or manmade", "outside_urban_or_manmade"),
        ("  Café -- 2 ", "cafe_2"),
        ("x" * 100, "x" * 64),
        ("x" * 63 + " y", "x" * 63),
    ],
)
def test_a_slug_is_lower_case_with_underscores(name: str, slug: str):
    assert slug_of(name) == slug


def test_a_name_without_letters_has_no_slug():
    with pytest.raises(ValueError, match="expected at least one of a-z or 0-9, got '!!!'"):
        slug_of("!!!")


def test_names_with_the_same_slug_are_numbered():
    names = ["Dog", "dog!", "DOG", "x" * 64, "x" * 65]
    slugs = [label.slug for label in make_labels(names)]
    assert slugs == ["dog", "dog_2", "dog_3", "x" * 64, "x" * 62 + "_2"]


def test_all_521_audioset_classes_have_a_slug_of_their_own(shared: Path):
    from trainer.model.yamnet import read_class_map  # noqa: PLC0415 - imports TensorFlow

    names = [entry.name for entry in read_class_map(shared / "models" / "yamnet")]
    labels = make_labels(names)
    assert [label.name for label in labels] == names
    assert len({label.slug for label in labels}) == 521
    assert all(re.fullmatch(r"[a-z0-9_]{1,64}", label.slug) for label in labels)
    assert labels[0].slug == "speech"
    assert labels[-1].slug == "field_recording"
