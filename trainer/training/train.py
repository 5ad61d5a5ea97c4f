"""From a training set to a trained network."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import cached_property

import keras
import numpy as np

from listener.detection.policy import LabelPolicy
from trainer.data.batches import Batching, iterate_batches, make_dataset
from trainer.data.clips import BACKGROUND, Clip
from trainer.data.patches import PatchSource
from trainer.model import backbones, fine_tuning
from trainer.model.fit import Fitted, fit
from trainer.model.network import Moments, build_exportable, build_head, join, measure_moments
from trainer.model.progress import History, OnEpoch
from trainer.model.settings import Activation, FitSettings, Thawing
from trainer.model.validation import accuracy, score_clips
from trainer.provenance import HeadSection
from trainer.training import choice
from trainer.training.held_scores import Calibration
from trainer.training.recipe import Recipe
from trainer.training.sampling import LEAST_STEPS, CachedPatches
from trainer.training.training_set import TrainingSet

log = logging.getLogger(__name__)

# what is being trained and for how many epochs at most -> where its epochs are shown
ReportEpochs = Callable[[str, int], AbstractContextManager[OnEpoch]]


@dataclass(frozen=True, slots=True)
class Split:
    """What is trained on, what early stopping is judged by, and the two together; no clip is in both."""

    train: TrainingSet
    validation: TrainingSet | None
    both: TrainingSet


@dataclass(frozen=True, slots=True)
class Trained:
    """Trained heads, the thawed backbone if there is one, and a learning curve for each training.

    The first curve is judged by the validation clips, if there are any. `classes` are the labels of the
    scores, without background. `validated` was not trained on the validation clips; None without any.
    `policies` are by class; `choice` says which head was kept and why, in provenance's words, by the clips
    in `held`.
    """

    moments: Moments
    heads: tuple[keras.Model, ...]
    thawed: keras.Model | None
    classes: tuple[str, ...]
    activation: Activation
    histories: tuple[History, ...]
    validated: Trained | None = None
    policies: Mapping[str, LabelPolicy] = field(default_factory=dict)
    choice: HeadSection | None = None
    held: tuple[Clip, ...] = ()

    def network_on(self, net: keras.Model) -> keras.Model:
        """What a bundle holds, on a net of the backbone; see `build_exportable`."""
        return build_exportable(
            self.thawed or net, self.moments, self.heads, self.activation, len(self.classes)
        )


def split(training_set: TrainingSet, folds: tuple[int, ...], validation_fold: int | None) -> Split:
    """By folds; clips of other folds are in none of the parts, and left to test on."""
    both = training_set.in_folds(*folds)
    if validation_fold is None:
        return Split(both, None, both)
    others = (fold for fold in folds if fold != validation_fold)
    return Split(training_set.in_folds(*others), training_set.in_folds(validation_fold), both)


def train(
    parts: Split,
    backbone: backbones.Backbone,
    recipe: Recipe,
    report: ReportEpochs,
    bases: Mapping[str, LabelPolicy] | None = None,
) -> Trained:
    """Heads on frozen embeddings, or if the recipe says so, the last blocks of YAMNet as well.

    Heads: validation finds how long to train, then they are trained that long on everything; where
    logistic regression does as well on held clips, it is kept instead, see `choice`. Thawed blocks are
    trained once, on the training part, and keep the weights that did best in validation. `bases` are the
    policies by class whose thresholds are then placed.

    Raises:
        FitError, DataError: see `fit`.
        BackboneError: blocks are to be thawed that are not YAMNet's.
    """
    if recipe.fit.thawing.blocks:
        return _fine_tune(parts, backbone, recipe, report)
    found: list[_Found] = []

    def train_network() -> choice.Candidate | None:
        if parts.validation is None:
            return None
        found.append(_find_length(parts, parts.validation, recipe, report))
        return found[0].candidate

    if recipe.heads > 1 or recipe.head == "network":
        kept, summary = train_network(), ""
    else:
        never = recipe.head == "regression"
        kept, summary = choice.choose_head(
            parts.both, parts.validation, recipe, (lambda: None) if never else train_network
        )
        log.info("%s", summary)
    first = found[0] if found else None
    if kept is None or kept.name == "network":
        trained = _train_networks(parts, recipe, report, first)
    else:
        trained = _fit_regressions(parts, recipe, kept, first)
    return _calibrated(trained, kept, summary, parts.both, recipe, bases or {})


@dataclass(frozen=True, slots=True)
class _Found:
    """How long a network is best trained, and what it says of the validation clips."""

    fitted: Fitted
    validated: Trained
    candidate: choice.Candidate


def _find_length(
    parts: Split, validation: TrainingSet, recipe: Recipe, report: ReportEpochs
) -> _Found:
    trainer = _Trainer(parts.train.embedded(), recipe, report)
    fitted = trainer.fit_head(recipe.fit, validation.tables, "finding how long to train")
    held = choice.held_scores(validation, recipe, fitted.network)
    validated = trainer.trained([fitted.network], [fitted.history])
    return _Found(fitted, validated, choice.Candidate("network", held, held.calibrate()))


def _train_networks(
    parts: Split, recipe: Recipe, report: ReportEpochs, found: _Found | None
) -> Trained:
    """On everything, as long as was found to be best."""
    settings, histories = recipe.fit, []
    if found is not None:
        histories.append(found.fitted.history)
        settings = replace(settings, stop_after=found.fitted.history.best.number)
    trainer = _Trainer(parts.both.embedded(), recipe, report)
    fitted = [
        trainer.fit_head(replace(settings, seed=settings.seed + number), (), "training")
        for number in range(recipe.heads)
    ]
    histories += [each.history for each in fitted]
    trained = trainer.trained([each.network for each in fitted], histories)
    return replace(trained, validated=None if found is None else found.validated)


def _fit_regressions(
    parts: Split, recipe: Recipe, kept: choice.Candidate, found: _Found | None
) -> Trained:
    """On everything; `validated` is one on the training part alone."""
    histories = () if found is None else (found.fitted.history,)
    classes = tuple(name for name in parts.both.classes if name != BACKGROUND)

    def regression_on(part: TrainingSet) -> Trained:
        moments, head = choice.fit_regression(part, recipe, kept)
        return Trained(moments, (head,), None, classes, recipe.fit.activation, histories)

    validated = None if parts.validation is None else regression_on(parts.train)
    return replace(regression_on(parts.both), validated=validated)


def _calibrated(
    trained: Trained,
    kept: choice.Candidate | None,
    summary: str,
    both: TrainingSet,
    recipe: Recipe,
    bases: Mapping[str, LabelPolicy],
) -> Trained:
    """With scores that mean what they say on held clips, and thresholds between these and the bank."""
    if kept is None or not kept.held.clips:  # nothing was held but the bank
        bank = choice.held_scores(both.in_folds(), recipe, trained.heads[0])
        kept = choice.Candidate("network" if kept is None else kept.name, bank, Calibration())
    for each in (trained, trained.validated):
        for head in () if each is None else each.heads:
            kept.calibration.apply(head, len(kept.held.labels))
    thresholds = kept.held.place_thresholds(
        both.clips.features.patch_hop_seconds, kept.calibration, bases
    )
    before, after = (
        kept.held.calibration_error(each) for each in (Calibration(), kept.calibration)
    )
    if kept.held.clips:
        log.info("calibration error: %.1f %% before, %.1f %% after", 100 * before, 100 * after)
    for label in thresholds.colliding:
        log.warning("%s: other sounds score as high as its own clips: record more of it", label)
    section = HeadSection(
        kept=kept.name,
        summary=summary,
        accuracy=kept.accuracy if kept.held.clips else None,
        clips=len(kept.held.clips),
        calibration_error_before=before,
        calibration_error=after,
        scale=kept.calibration.scale,
        offset=kept.calibration.offset,
        bank_firing=thresholds.firing,
        colliding=list(thresholds.colliding),
    )
    held = tuple(each.clip for each in kept.held.clips)
    return replace(trained, policies=thresholds.policies, choice=section, held=held)


def train_head(source: PatchSource, recipe: Recipe, report: ReportEpochs) -> Trained:
    """A head on embeddings of any source, without validation."""
    trainer = _Trainer(source, recipe, report)
    fitted = trainer.fit_head(recipe.fit, (), "training")
    return trainer.trained([fitted.network], [fitted.history])


def _fine_tune(
    parts: Split, backbone: backbones.Backbone, recipe: Recipe, report: ReportEpochs
) -> Trained:
    net = backbone.build_net()
    fine_tuning.thaw(net, recipe.fit.thawing.blocks)
    trainer = _Trainer(parts.train.embedded(), recipe, report)
    embedded: tuple[PatchSource, ...] = ()
    log_mel: tuple[PatchSource, ...] = ()
    if parts.validation is not None:
        embedded, log_mel = parts.validation.tables, (parts.validation.clips_as_log_mel(),)
    frozen = replace(recipe.fit, thawing=Thawing())
    first = trainer.fit_head(frozen, embedded, "training the head")
    through = _Trainer(parts.train.log_mel(), recipe, report)
    whole = through.fit(join(net, first.network), recipe.fit, log_mel, "training thawed blocks")
    trained = trainer.trained([first.network], [first.history, whole.history], thawed=net)
    return trained if parts.validation is None else replace(trained, validated=trained)


class _Trainer:
    """Trains networks on the patches of one source."""

    def __init__(self, source: PatchSource, recipe: Recipe, report: ReportEpochs) -> None:
        self._source, self._recipe, self._report = source, recipe, report

    @cached_property
    def moments(self) -> Moments:
        """Of the embeddings."""
        in_order = iterate_batches(self._source, Batching())
        return measure_moments(batch.inputs for batch in in_order)

    def fit_head(
        self, settings: FitSettings, validation: Sequence[PatchSource], what: str
    ) -> Fitted:
        """Train a new head; the seed decides its first weights."""
        keras.utils.set_random_seed(settings.seed)
        head = build_head(self.moments, len(self._source.table.classes), settings.head)
        steps = -(-self.moments.count // self._recipe.batch_size)  # rounded up
        return self.fit(head, settings, validation, what, passes=-(-LEAST_STEPS // steps))

    def fit(
        self,
        network: keras.Model,
        settings: FitSettings,
        validation: Sequence[PatchSource],
        what: str,
        passes: int = 1,
    ) -> Fitted:
        """Train a network of logits; each epoch passes so many times over the patches."""
        batching = Batching(
            batch_size=self._recipe.batch_size,
            seed=settings.seed,
            balance=self._recipe.balance,
            exclusive=settings.activation == "softmax",
        )
        batches = make_dataset(self._source, batching).repeat(passes)
        cached = [CachedPatches(each) for each in validation]
        with self._report(what, settings.epochs) as on_epoch:
            return fit(network, batches, cached, settings, on_epoch)

    def trained(
        self,
        heads: Sequence[keras.Model],
        histories: Sequence[History],
        thawed: keras.Model | None = None,
    ) -> Trained:
        """What came out, with these patches' moments and classes."""
        classes = tuple(name for name in self._source.table.classes if name != BACKGROUND)
        activation = self._recipe.fit.activation
        return Trained(self.moments, tuple(heads), thawed, classes, activation, tuple(histories))


def clip_accuracy(trained: Trained, source: PatchSource) -> float:
    """The share of clips whose highest mean score is that of a label of theirs.

    The patches of `source` are log-mel if blocks of the backbone were thawed, else embeddings.

    Raises:
        DataError: a clip cannot be loaded.
    """
    net = trained.thawed
    if net is None:  # embeddings stay as they are
        embeddings = keras.Input((len(trained.moments.mean),), name="embeddings")
        net = keras.Model(embeddings, keras.layers.Identity()(embeddings))
    network = trained.network_on(net)
    scores = score_clips(lambda batch: np.asarray(network(batch)["scores"]), source)
    targets = [[name in clip.labels for name in trained.classes] for clip in source.table.clips]
    return accuracy(scores, np.array(targets, np.float32))
