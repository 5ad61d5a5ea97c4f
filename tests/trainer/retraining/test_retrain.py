"""From verdicts to a better bundle: what is corrected, added, kept and refused."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from listener.detection.bundle import Bundle
from listener.detection.clip import LabelSpan
from listener.detection.clip_files import write_sidecar
from tests.trainer.retraining.conftest import MIDDLE_HZ
from tests.trainer.sections import faults
from tests.trainer.stores import RATE_HZ, StoreWriter, said
from tests.trainer.training.tones import tone
from trainer.data.clip_store import read_store
from trainer.errors import BackboneError, DataError, RegressionError, TargetError
from trainer.evaluation.regression import read_regression
from trainer.evaluation.scoring import open_scorer
from trainer.model.settings import FitSettings, HeadShape
from trainer.promotion.gate import GateRequest, find_faults
from trainer.report.rewrite import rewrite_bundle
from trainer.retraining.retrain import Retrained, RetrainRequest, retrain
from trainer.retraining.verdicts import HeldOutLabel
from trainer.training.fit_bundle import FitRequest, fit_bundle
from trainer.training.recipe import Recipe


def quietly(_what: str):
    return lambda _done, _total: None


@pytest.fixture(scope="module", params=["outputs", "data"])
def retrained(request, base: Bundle, store: Path, data: Path) -> Retrained:
    """Old classes are kept by the base's own outputs, or by its data."""
    again = (data,) if request.param == "data" else ()
    out = data.parent / f"by-{request.param}" / "better"
    cache = data.parent / "cache"
    return retrain(RetrainRequest(store, base, out, cache, again, new_classes=True), quietly)


def mean_scores(bundle: Bundle, hz: float) -> dict[str, float]:
    scores = open_scorer(bundle)(tone(hz, 0.5, 2.0)).mean(axis=0)
    return dict(zip(bundle.labels, scores.tolist(), strict=True))


def test_a_class_is_added_from_few_clips_and_old_ones_stay(retrained: Retrained):
    bundle = retrained.bundle
    assert bundle.labels == ("high", "low", "middle_tone")
    assert bundle.manifest.labels[-1].name == "Middle tone"
    for label, hz in (("high", 3000.0), ("low", 500.0), ("middle_tone", MIDDLE_HZ)):
        scores = mean_scores(bundle, hz)
        assert max(scores, key=scores.__getitem__) == label
        assert scores[label] > 0.7


def test_the_regression_check_has_every_old_class_before_and_after(retrained: Retrained):
    check = retrained.findings.regression_check
    assert check.clips == 8
    assert [each.label for each in check.labels] == ["high", "low"]
    assert all(each.clips == 4 for each in check.labels)
    assert all(each.lost_points == 0.0 for each in check.labels)
    card = (retrained.bundle.path / "card.md").read_text()
    assert "### Regression check" in card
    assert "| high | 4 | 100.0 % | 100.0 % | 51 to 100 | 0 | 4 | 0 | 0 |" in card


def test_what_the_station_would_do_comes_first(retrained: Retrained):
    """Eight clips of a second or two, in all of which the new label is known to be absent as well."""
    check = retrained.findings.regression_check
    assert check.station is not None
    assert (check.station.heard, check.station.sounds) == (8, 8)
    assert [each.label for each in check.station.labels] == ["high", "low", "middle_tone"]
    assert check.station.false_alarms is not None
    assert check.station.false_alarms.alarms == 0
    _title, _, first, *_ = (retrained.bundle.path / "card.md").read_text().splitlines()
    assert first.startswith(
        "**What the station would do**, on 8 held-out clips: event recall 100.0 % (8 of 8 sounds), "
        "0 false events in "
    )


def test_the_bundle_says_what_it_was_trained_on(retrained: Retrained, base: Bundle, store: Path):
    manifest = retrained.bundle.manifest
    assert (manifest.name, manifest.version) == (base.manifest.name, base.manifest.version + 1)
    known = manifest.provenance
    assert faults(known) == []
    assert known["retraining"]["base"] == base.id
    assert (known["retraining"]["verdicts"], known["retraining"]["ambient"]) == (12, 6)
    assert set(base.manifest.provenance["training_files"]) < set(known["training_files"])
    assert len(known["training_files"]) == 12 + 12 + 6
    assert known["retraining"]["clips"] == str(store)


def test_the_held_out_clips_stay_the_same(retrained: Retrained, base: Bundle):
    """Those of the new label come after them."""
    before, after = read_regression(base), read_regression(retrained.bundle)
    assert before is not None
    assert after is not None
    np.testing.assert_array_equal(before.frames, after.frames[: len(before.frames)])
    np.testing.assert_array_equal(before.lengths, after.lengths[:8])
    assert before.labels == ("high", "low")
    assert after.labels == ("high", "low", "middle_tone")
    np.testing.assert_array_equal(after.targets[:8, :2], before.targets)
    assert after.targets[8:].tolist() == [[False, False, True]] * 6
    assert not after.known[:8, 2].any()


def test_the_next_candidate_must_not_lose_the_new_label(retrained: Retrained, tmp_path: Path):
    """Two of its labels are the wrong way round."""
    current = retrained.bundle
    high, low, middle = current.manifest.labels
    swapped = replace(current.manifest, labels=(high, middle, low))
    candidate = rewrite_bundle(current, swapped, out=tmp_path / "swapped")
    faults = find_faults(GateRequest(candidate, current, None, 1.0))
    wanted = "middle_tone hears 0 of 6 clips, before 6: held-out clips of two_tones@2"
    assert any(fault.startswith(wanted) for fault in faults)


def test_the_regression_check_says_which_clips_check_later_bundles(retrained: Retrained):
    """Six clips of one hour and one room are one recording: none can be kept from training."""
    assert retrained.findings.regression_check.kept == (
        HeldOutLabel("middle_tone", 6, learnt=True),
    )
    card = (retrained.bundle.path / "card.md").read_text()
    assert "checked with 6 clips of middle_tone, which this one learnt from." in card


@pytest.fixture
def request_of_station(base: Bundle, store: Path, data: Path, tmp_path: Path) -> RetrainRequest:
    copy = shutil.copytree(store, tmp_path / "clips")
    return RetrainRequest(Path(copy), base, tmp_path / "out", data.parent / "cache")


def test_without_new_classes_an_unknown_label_is_other_sound_until_it_is_added(
    request_of_station: RetrainRequest,
):
    bundle = retrain(request_of_station, quietly).bundle
    assert bundle.labels == ("high", "low")
    assert mean_scores(bundle, MIDDLE_HZ)["low"] < 0.3
    again = replace(
        request_of_station, base=bundle, out=bundle.path.with_name("again"), new_classes=True
    )
    third = retrain(again, quietly).bundle
    assert third.manifest.version == 3
    assert mean_scores(third, MIDDLE_HZ)["middle_tone"] > 0.7


def test_a_verdict_that_all_others_contradict_is_listed(request_of_station: RetrainRequest):
    record = next(
        each for each in read_store(request_of_station.clips).records if each.label == "high"
    )
    write_sidecar(replace(record, verdicts=(said("wrong"),)))
    (doubt,) = retrain(request_of_station, quietly).findings.doubts
    assert (doubt.clip, doubt.label, doubt.said_there) == (record.id, "high", False)
    assert doubt.score > 0.9


def test_what_forgets_is_refused_with_its_table_and_nothing_is_written(
    request_of_station: RetrainRequest, capsys: pytest.CaptureFixture[str]
):
    """Somebody labels every tone as the other one."""
    for record in read_store(request_of_station.clips).records:
        if record.reason == "event":
            other = "high" if record.label == "low" else "low"
            label = "low" if record.heard and record.heard[0].label == "Middle tone" else other
            span = LabelSpan(label, 0.0, record.seconds)
            write_sidecar(replace(record, verdicts=(said("labels", span),)))
    with pytest.raises(RegressionError, match="not by chance: high hears 0 of 4 clips, before 4"):
        retrain(request_of_station, quietly)
    assert not request_of_station.out.exists()
    table = [" ".join(line.split()) for line in capsys.readouterr().err.splitlines()]
    assert "high 4 100.0 % 0.0 % 0 to 49 4 0 of 4 4 of 4" in table


def test_a_budget_that_makes_a_label_deaf_is_refused(request_of_station: RetrainRequest):
    """The room hums like the low tone all night: no threshold keeps to the budget and hears it."""
    writer = StoreWriter(request_of_station.clips.with_name("humming"))
    for number in range(6):
        writer.add(tone(500.0, 0.2 + 0.1 * number, 4.0), "ambient")
        writer.add(tone(3000.0, 0.3, 2.0), label="high", verdict=said("right"))
    with pytest.raises(RegressionError, match="low hears 0 of 4 clips, before 4"):
        retrain(replace(request_of_station, clips=writer.root), quietly)


def test_without_held_out_clips_nothing_is_claimed(
    request_of_station: RetrainRequest, tones_bundle: Bundle
):
    """The tones bundle has a linear head of another form, and no regression set."""
    request = replace(request_of_station, base=tones_bundle)
    with pytest.raises(RegressionError, match="what would be forgotten is not known"):
        retrain(request, quietly)
    made = retrain(replace(request, without_holdout=True), quietly)
    assert made.findings.regression_check.clips == 0
    assert mean_scores(made.bundle, 3000.0)["high_tone"] > 0.9
    assert "# Tones" in (made.bundle.path / "card.md").read_text()


def test_labels_that_are_not_required_need_no_held_out_clips(
    request_of_station: RetrainRequest, tones_bundle: Bundle
):
    """The base has no held-out clips, and the station listens for the new label alone."""
    request = replace(request_of_station, base=tones_bundle, new_classes=True)
    required = replace(request, required_labels=frozenset({"middle_tone"}))
    assert retrain(required, quietly).bundle.labels[-1] == "middle_tone"
    both = replace(request, required_labels=frozenset({"middle_tone", "high_tone"}))
    with pytest.raises(
        RegressionError, match="expected held-out clips of high_tone, in the bundle"
    ):
        retrain(both, quietly)


def test_a_required_label_that_is_not_there_is_refused(request_of_station: RetrainRequest):
    request = replace(request_of_station, required_labels=frozenset({"low", "middle_tone"}))
    with pytest.raises(DataError, match="neither two_tones@1 nor what is added has middle_tone"):
        retrain(request, quietly)


def test_a_regression_of_a_label_that_is_not_required_is_allowed_and_the_card_says_so(
    request_of_station: RetrainRequest,
):
    """Every high tone is labelled low."""
    for record in read_store(request_of_station.clips).records:
        if record.label == "high":
            span = LabelSpan("low", 0.0, record.seconds)
            write_sidecar(replace(record, verdicts=(said("labels", span),)))
    with pytest.raises(RegressionError, match="high hears 0 of 4 clips"):
        retrain(request_of_station, quietly)
    made = retrain(
        replace(request_of_station, most_loss=50.0, required_labels=frozenset({"low"})), quietly
    )
    (high, low) = made.findings.regression_check.labels
    assert high.lost_points == 100.0
    assert low.lost_points <= 50.0
    assert low.wrong_after == low.others == 4  # too few to say that it is more than half of others
    card = (made.bundle.path / "card.md").read_text()
    assert (
        "of those that the station listens for, low, none lost more than 50 points of event recall"
        in card
    )


def test_a_store_without_a_verdict_is_refused(request_of_station: RetrainRequest, tmp_path: Path):
    writer = StoreWriter(tmp_path / "unjudged")
    writer.add(np.zeros(RATE_HZ, np.float32), "ambient")
    with pytest.raises(DataError, match="expected clips with a verdict, found none among 1"):
        retrain(replace(request_of_station, clips=writer.root), quietly)


def test_the_base_stays_as_it_is(request_of_station: RetrainRequest, base: Bundle):
    with pytest.raises(TargetError, match="expected another path than the base's"):
        retrain(replace(request_of_station, out=base.path), quietly)


def test_data_that_the_base_was_not_trained_on_is_refused(
    request_of_station: RetrainRequest, base: Bundle, data: Path, tmp_path: Path
):
    strange = replace(base.manifest, provenance={"training_files": ["00"]})
    request = replace(
        request_of_station, base=Bundle(base.path, strange), data=(data,), out=tmp_path / "x"
    )
    with pytest.raises(DataError, match="expected files that two_tones@1 learnt from, found none"):
        retrain(request, quietly)


def test_a_base_with_a_hidden_layer_is_refused(
    request_of_station: RetrainRequest, tones_bundle: Bundle, data: Path, tmp_path: Path
):
    recipe = Recipe(FitSettings(head=HeadShape(hidden=4), max_epochs=1), copies=0, head="network")
    handle, cache = str(tones_bundle.path), data.parent / "cache"
    deep = fit_bundle(FitRequest((data,), tmp_path / "deep", handle, cache, recipe))
    with pytest.raises(BackboneError, match="expected a linear head on the embeddings, as"):
        retrain(replace(request_of_station, base=deep), quietly)
    assert not request_of_station.out.exists()


def test_a_bundle_without_its_saved_model_is_refused(
    request_of_station: RetrainRequest, base: Bundle
):
    files = {k: v for k, v in base.manifest.files.items() if not k.startswith("saved_model")}
    bare = Bundle(base.path, replace(base.manifest, files=files))
    with pytest.raises(BackboneError, match="expected a bundle with saved_model/, found none"):
        retrain(replace(request_of_station, base=bare), quietly)
