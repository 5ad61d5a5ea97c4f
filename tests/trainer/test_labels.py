"""Labels: a slug for every name, each once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from trainer.labels import find_label, make_labels, slug_of, spelling_of


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Dog", "dog"),
        ("Chicken, rooster", "chicken_rooster"),
        ("Dental drill, dentist's drill", "dental_drill_dentists_drill"),
        ("Outside, urban or manmade", "outside_urban_or_manmade"),
        ("  Café -- 2 ", "cafe_2"),
        ("Straße", "strasse"),
        ("собака 2", "sobaka_2"),
        ("犬A", "quana"),
        ("x" * 100, "x" * 64),
        ("x" * 63 + " y", "x" * 63),
    ],
)
def test_a_slug_is_lower_case_with_underscores(name: str, slug: str):
    assert slug_of(name) == slug


def test_a_name_without_letters_has_no_slug():
    with pytest.raises(ValueError, match="expected at least one letter or digit, got '!!!'"):
        slug_of("!!!")


def test_names_with_the_same_slug_are_numbered():
    names = ["Dog", "dog!", "DOG", "x" * 64, "x" * 65]
    slugs = [label.slug for label in make_labels(names)]
    assert slugs == ["dog", "dog_2", "dog_3", "x" * 64, "x" * 62 + "_2"]


@pytest.mark.parametrize(
    ("one", "other"),
    [("собака 2", "кошка 2"), ("犬A", "猫A"), ("C+", "C#"), ("犬", "泉"), ("が", "か")],
)
def test_distinct_names_have_distinct_spellings_and_slugs(one: str, other: str):
    assert spelling_of(one) != spelling_of(other)
    labels = make_labels([one, other])
    assert labels[0].slug != labels[1].slug
    assert [find_label(labels, name) for name in (one, other)] == [each.slug for each in labels]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Dog", "dog"),
        ("Chicken, rooster", "chicken_rooster"),
        ("Café", "cafe"),
        ("СОБАКА", "собака"),
    ],
)
def test_two_spellings_of_a_name_are_one(one: str, other: str):
    assert spelling_of(one) == spelling_of(other)
    (label,) = make_labels([one])
    assert find_label([label], other) == label.slug


def test_a_label_is_found_by_its_slug():
    labels = make_labels(["犬", "泉"])
    assert find_label(labels, "quan_2") == "quan_2"
    assert find_label(labels, "cat") is None


def test_all_521_audioset_classes_have_a_slug_of_their_own(shared: Path):
    from trainer.model.yamnet import read_class_map  # noqa: PLC0415 - imports TensorFlow

    names = [entry.name for entry in read_class_map(shared / "models" / "yamnet")]
    labels = make_labels(names)
    assert [label.name for label in labels] == names
    assert len({label.slug for label in labels}) == 521
    assert all(re.fullmatch(r"[a-z0-9_]{1,64}", label.slug) for label in labels)
    assert labels[0].slug == "speech"
    assert labels[-1].slug == "field_recording"
