"""A clip's scores are the mean of its patches'; background is not an answer."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest

from tests.trainer.model.examples import CLASSES, floats, make_source
from trainer.data.clips import BACKGROUND
from trainer.data.targets import Targets
from trainer.model.validation import (
    accuracy,
    log_loss,
    make_scorer,
    make_validator,
    score_clips,
)


def linear(columns) -> keras.Model:
    inputs = keras.Input((3,))
    layer = keras.layers.Dense(len(columns[0]), use_bias=False)
    network = keras.Model(inputs, layer(inputs))
    network.set_weights([floats(columns)])
    return network


def test_a_clips_score_is_the_mean_over_its_patches():
    source = make_source(["a", "b"])
    scores = score_clips(lambda patches: patches * floats([1, 2, 3]), source)
    np.testing.assert_allclose(scores, [[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])


def test_no_clips_have_no_scores():
    assert score_clips(lambda patches: patches, make_source([])).shape == (0, 3)


def test_a_scorer_follows_the_weights():
    network = linear(np.zeros((3, 2)))
    scorer = make_scorer(network, "softmax")
    np.testing.assert_allclose(scorer(np.eye(3, dtype=np.float32))[0], [0.5, 0.5])
    network.set_weights([floats([[99, 0], [0, 99], [0, 0]])])
    np.testing.assert_allclose(scorer(np.eye(3, dtype=np.float32))[0], [1.0, 0.0], atol=1e-6)


def test_an_epoch_is_validated_by_clips():
    """a and b are recognised, c is taken for a: two of three are right."""
    validate = make_validator(
        linear([[9, 0, 0], [0, 9, 0], [9, 0, 0]]), [make_source(["a", "b", "c"])], "softmax"
    )
    epoch = validate(4, 0.5)
    assert (epoch.number, epoch.loss) == (4, 0.5)
    assert epoch.accuracy == pytest.approx(2 / 3)
    assert epoch.validation_loss == pytest.approx(3.0, abs=0.01)  # 9 of the one that is wrong


def test_the_loss_includes_the_copies_but_the_accuracy_does_not():
    """The copies of a and b are confused, a loss of 9; the clips are not, a loss of 0."""
    network = linear([[9, 0, 0], [0, 9, 0], [0, 0, 9]])
    clips, copies = make_source(["a", "b"]), make_source(["b", "a"])
    table = replace(copies.table, clips=clips.table.clips)
    epoch = make_validator(network, [clips, replace(copies, table=table)], "softmax")(1, 0.5)
    assert epoch.accuracy == 1.0
    assert epoch.validation_loss == pytest.approx(4.5, abs=0.01)


def test_background_is_not_an_answer():
    """Each patch is mostly background; among the others the right class has the highest score."""
    source = make_source(["a", "b", "c"], (*CLASSES, BACKGROUND))
    columns = np.concatenate([2 * np.eye(3), np.full((3, 1), 9.0)], axis=1)
    assert make_validator(linear(columns), [source], "softmax")(1, 0.0).accuracy == 1.0


def test_without_validation_there_are_no_figures():
    epoch = make_validator(linear(np.eye(3)), [], "softmax")(1, 0.5)
    assert (epoch.validation_loss, epoch.accuracy) == (None, None)


def test_unknown_labels_do_not_count():
    scores = floats([[0.5, 0.9]])
    targets = Targets(floats([[1, 0]]), floats([[1, 0]]))
    assert log_loss(scores, targets, "sigmoid") == pytest.approx(np.log(2), rel=1e-5)


def test_any_label_of_a_clip_is_right_and_clips_without_labels_do_not_count():
    scores = floats([[0.1, 0.9], [0.9, 0.1], [0.5, 0.4]])
    targets = floats([[1, 1], [0, 1], [0, 0]])
    assert accuracy(scores, targets) == 0.5
    assert accuracy(scores, np.zeros((3, 2), np.float32)) == 0.0


@pytest.mark.parametrize(("logit", "right"), [(-3.0, 1.0), (3.0, 0.0)])
def test_a_clip_without_a_label_counts_in_loss_and_accuracy(logit: float, right: float):
    """With one label nothing else could show that training goes wrong."""
    source = make_source([""], ("a",))
    patches = tuple(replace(each, inputs=each.inputs + 1.0) for each in source.patches)
    validate = make_validator(
        linear([[logit], [0], [0]]), [replace(source, patches=patches)], "sigmoid"
    )
    epoch = validate(1, 0.0)
    assert epoch.accuracy == right
    assert epoch.validation_loss == pytest.approx(np.log1p(np.exp(logit)), rel=1e-3)
