"""From material to a trained network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property

import keras
import numpy as np

from trainer.data.batches import Batching, iterate_batches, make_dataset
from trainer.data.clips import BACKGROUND
from trainer.data.patches import PatchSource
from trainer.model.backbones import Backbone
from trainer.model.fine_tuning import thaw
from trainer.model.fit import Fitted, fit
from trainer.model.network import Moments, build_exportable, build_head, join, measure_moments
from trainer.model.settings import Activation, FitSettings, Thawing
from trainer.model.validation import History, OnEpoch, accuracy, score_clips
from trainer.training.recipe import Recipe
from trainer.training.sampling import LEAST_STEPS, HeldPatches
from trainer.training.training_set import TrainingSet

# what is being trained and for how many epochs at most -> where its epochs are shown
Report = Callable[[str, int], AbstractContextManager[OnEpoch]]


@dataclass(frozen=True, slots=True)
class Split:
    """What to learn from, and what tells when to stop: parts of one material, no clip in both."""

    train: TrainingSet
    validation: TrainingSet | None
    both: TrainingSet


@dataclass(frozen=True, slots=True)
class Trained:
    """Trained heads, the thawed backbone if there is one, and a learning curve for each training.

    The first curve is judged by the validation clips, if there are any. `classes` are the labels of the
    scores; background is none.
    """

    moments: Moments
    heads: tuple[keras.Model, ...]
    thawed: keras.Model | None
    classes: tuple[str, ...]
    activation: Activation
    histories: tuple[History, ...]

    def network_on(self, net: keras.Model) -> keras.Model:
        """What a bundle holds, on a net of the backbone; see `build_exportable`."""
        return build_exportable(
            self.thawed or net, self.moments, self.heads, self.activation, len(self.classes)
        )


def split(material: TrainingSet, folds: tuple[int, ...], validation_fold: int | None) -> Split:
    """By folds; other folds than these are left alone, to be tested on."""
    both = material.in_folds(*folds)
    if validation_fold is None:
        return Split(both, None, both)
    rest = (fold for fold in folds if fold != validation_fold)
    return Split(material.in_folds(*rest), material.in_folds(validation_fold), both)


def train(parts: Split, backbone: Backbone, lesson: Recipe, report: Report) -> Trained:
    """Heads on frozen embeddings, or if the lesson says so, the last blocks of YAMNet as well.

    Heads: validation tells how long to train, then they train that long on everything. Thawed blocks
    learn once, from the training part, and keep the weights that did best on the validation clips.

    Raises:
        FitError, DataError: see `fit`.
        BackboneError: blocks are to be thawed that are not YAMNet's.
    """
    classes = tuple(name for name in parts.both.classes if name != BACKGROUND)
    learn = _teach_thawed if lesson.fit.thawing.blocks else _teach_heads
    moments, heads, thawed, histories = learn(parts, backbone, lesson, report)
    return Trained(moments, heads, thawed, classes, lesson.fit.activation, histories)


def teach_patches(source: PatchSource, lesson: Recipe, report: Report) -> Trained:
    """A head on embeddings of any source, without validation."""
    desk = _Desk(source, lesson, report)
    fitted = desk.fit_head(lesson.fit, (), "training")
    classes = tuple(name for name in source.table.classes if name != BACKGROUND)
    return Trained(
        desk.moments, (fitted.network,), None, classes, lesson.fit.activation, (fitted.history,)
    )


_Learnt = tuple[Moments, tuple[keras.Model, ...], keras.Model | None, tuple[History, ...]]


def _teach_heads(parts: Split, _backbone: Backbone, lesson: Recipe, report: Report) -> _Learnt:
    settings = lesson.fit
    histories: list[History] = []
    if parts.validation is not None:
        desk = _Desk(parts.train.embedded(), lesson, report)
        found = desk.fit_head(settings, parts.validation.tables, "finding how long to train")
        histories.append(found.history)
        settings = replace(settings, stop_after=found.history.best.number)
    desk = _Desk(parts.both.embedded(), lesson, report)
    fitted = [
        desk.fit_head(replace(settings, seed=settings.seed + number), (), "training")
        for number in range(lesson.heads)
    ]
    histories += [each.history for each in fitted]
    return desk.moments, tuple(each.network for each in fitted), None, tuple(histories)


def _teach_thawed(parts: Split, backbone: Backbone, lesson: Recipe, report: Report) -> _Learnt:
    net = backbone.build_net()
    thaw(net, lesson.fit.thawing.blocks)
    desk = _Desk(parts.train.embedded(), lesson, report)
    judged: tuple[PatchSource, ...] = ()
    log_mel: tuple[PatchSource, ...] = ()
    if parts.validation is not None:
        judged, log_mel = parts.validation.tables, (parts.validation.clips_as_log_mel(),)
    frozen = replace(lesson.fit, thawing=Thawing())
    first = desk.fit_head(frozen, judged, "training the head")
    through = _Desk(parts.train.log_mel(), lesson, report)
    whole = through.fit(join(net, first.network), lesson.fit, log_mel, "training thawed blocks")
    return desk.moments, (first.network,), net, (first.history, whole.history)


class _Desk:
    """Patches to learn from, and how."""

    def __init__(self, source: PatchSource, lesson: Recipe, report: Report) -> None:
        self._source, self._lesson, self._report = source, lesson, report

    @cached_property
    def moments(self) -> Moments:
        """Of the embeddings."""
        in_order = iterate_batches(self._source, Batching())
        return measure_moments(batch.inputs for batch in in_order)

    def fit_head(self, settings: FitSettings, judged: Sequence[PatchSource], what: str) -> Fitted:
        """A new head, its first weights by the seed."""
        keras.utils.set_random_seed(settings.seed)
        head = build_head(self.moments, len(self._source.table.classes), settings.head)
        steps = -(-self.moments.count // self._lesson.batch_size)  # rounded up
        return self.fit(head, settings, judged, what, passes=-(-LEAST_STEPS // steps))

    def fit(
        self,
        network: keras.Model,
        settings: FitSettings,
        judged: Sequence[PatchSource],
        what: str,
        passes: int = 1,
    ) -> Fitted:
        """Train a network of logits on the patches, each so many times an epoch."""
        batching = Batching(
            batch_size=self._lesson.batch_size,
            seed=settings.seed,
            balance=self._lesson.balance,
            exclusive=settings.activation == "softmax",
        )
        batches = make_dataset(self._source, batching).repeat(passes)
        with self._report(what, settings.epochs) as on_epoch:
            return fit(network, batches, [HeldPatches(each) for each in judged], settings, on_epoch)


# How many clips a taught network gets right, without a bundle being written.


def clip_accuracy(taught: Trained, source: PatchSource) -> float:
    """The share of clips whose highest mean score is a label's of theirs.

    The patches of `source` are log-mel if blocks of the backbone were thawed, else embeddings.

    Raises:
        DataError: a clip cannot be loaded.
    """
    network = taught.network_on(taught.thawed or _pass_on(len(taught.moments.mean)))
    scores = score_clips(lambda batch: np.asarray(network(batch)["scores"]), source)
    targets = [[name in clip.labels for name in taught.classes] for clip in source.table.clips]
    return accuracy(scores, np.array(targets, np.float32))


def _pass_on(embedding_size: int) -> keras.Model:
    """Embeddings as they are."""
    embeddings = keras.Input((embedding_size,), name="embeddings")
    return keras.Model(embeddings, keras.layers.Identity()(embeddings))
