"""The gate: a line for each thing that a candidate loses, or hears where it should not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from listener.detection.bundle import Bundle, Golden, Label
from listener.detection.policy import LabelPolicy
from tests.trainer.data.doubles import make_clip, make_table, write_samples
from tests.trainer.stores import StoreWriter
from tests.trainer.training.tones import tone
from trainer.evaluation.regression import REGRESSION_FILE, make_regression_set
from trainer.export.bundle import export_bundle, write_golden
from trainer.promotion.gate import GateRequest, find_faults
from trainer.report.rewrite import rewrite_bundle

BUDGET = 1.0
NOISE = frozenset({"noise"})  # the tones bundle hears noise, and is right to


def fault_of(candidate: Bundle, current: Bundle | None = None, **options) -> tuple[str, ...]:
    wanted = {"noise_labels": NOISE} | options
    return find_faults(GateRequest(candidate, current, wanted.pop("store", None), BUDGET, **wanted))


@pytest.fixture
def in_use(tones_bundle: Bundle, tmp_path: Path) -> Bundle:
    """The tones bundle with two held-out clips of each tone."""
    clips = [
        make_clip(write_tone(tmp_path / f"{label}{n}.wav", hz, 0.2 + 0.1 * n), label)
        for label, hz in (("low_tone", 500.0), ("high_tone", 3000.0))
        for n in range(2)
    ]
    table = make_table(*clips, classes=("low_tone", "high_tone"))
    held_out = make_regression_set(table, table.classes, tones_bundle.manifest.features)
    assert held_out is not None
    return with_files(tones_bundle, tmp_path / "in-use", held_out.to_bytes())


def write_tone(path: Path, hz: float, level: float) -> Path:
    return write_samples(path, tone(hz, level).astype(np.float64))


def with_files(bundle: Bundle, out: Path, regression: bytes) -> Bundle:
    from tests.bundles import make_manifest, make_tones_model  # noqa: PLC0415 - imports TensorFlow

    features = bundle.manifest.features
    files = {REGRESSION_FILE: regression}
    return export_bundle(out, make_tones_model(features), make_manifest(features), "", files=files)


def test_what_loses_nothing_passes(in_use: Bundle, tones_bundle: Bundle):
    assert fault_of(tones_bundle, in_use) == ()
    assert fault_of(tones_bundle) == ()


def test_a_label_that_is_gone_is_named(in_use: Bundle, tones_bundle: Bundle, tmp_path: Path):
    before = tones_bundle.manifest
    renamed = replace(
        before,
        labels=(Label("deep_tone", "Deep tone"), *before.labels[1:]),
        policies=dict(
            zip(("deep_tone", "high_tone", "noise"), before.policies.values(), strict=True)
        ),
    )
    candidate = rewrite_bundle(tones_bundle, renamed, out=tmp_path / "renamed")
    (fault,) = fault_of(candidate, in_use)
    assert fault == "labels: expected those of tones@1, missing are low_tone"


def test_what_hears_less_is_refused_label_by_label(
    in_use: Bundle, tones_bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Its labels are the wrong way round: it gets none of the clips right, and the table is shown."""
    first, second, third = tones_bundle.manifest.labels
    swapped = replace(tones_bundle.manifest, labels=(second, first, third))
    candidate = rewrite_bundle(tones_bundle, swapped, out=tmp_path / "swapped")
    faults = fault_of(candidate, in_use)
    assert faults == tuple(
        f"{label} hears 0 of 2 clips, before 2 and has a wrong event in 2 of 2 other clips, before in "
        "0: held-out clips of tones@1, of which at most 1 points may be lost, and more only by chance"
        for label in ("low_tone", "high_tone")
    )
    table = [" ".join(line.split()) for line in capsys.readouterr().err.splitlines()]
    assert "low_tone 2 100.0 % 0.0 % 0 to 66 2 0 of 2 2 of 2" in table
    assert fault_of(candidate, in_use, most_loss=100.0) == ()


def test_what_a_higher_threshold_makes_deaf_is_refused(in_use: Bundle, tones_bundle: Bundle):
    """The same model and the same scores: the station would hear nothing."""
    deaf = {label: LabelPolicy(1.0, 1.0) for label in tones_bundle.labels}
    candidate = Bundle(tones_bundle.path, replace(tones_bundle.manifest, policies=deaf))
    (low, high) = fault_of(candidate, in_use)
    assert low.startswith("low_tone hears 0 of 2 clips, before 2: held-out clips")
    assert high.startswith("high_tone hears 0 of 2 clips, before 2: held-out clips")


def test_a_candidate_of_another_patch_hop_is_compared(in_use: Bundle, tones_bundle: Bundle):
    features = replace(tones_bundle.manifest.features, patch_hop_seconds=0.24)
    candidate = Bundle(tones_bundle.path, replace(tones_bundle.manifest, features=features))
    assert not [fault for fault in fault_of(candidate, in_use) if "held-out" in fault]


def test_without_held_out_clips_somebody_must_say_so(tones_bundle: Bundle):
    (fault,) = fault_of(tones_bundle, tones_bundle)
    assert "tones@1 has no held-out clips to compare by" in fault
    assert fault_of(tones_bundle, tones_bundle, without_holdout=True) == ()


def test_another_front_end_cannot_be_compared(tones_bundle: Bundle, in_use: Bundle):
    features = replace(tones_bundle.manifest.features, mel_min_hz=125.01)
    candidate = Bundle(tones_bundle.path, replace(tones_bundle.manifest, features=features))
    (fault,) = fault_of(candidate, in_use)
    assert fault.startswith("front end: expected that of tones@1")


def test_what_hears_noise_is_refused_sound_by_sound(tones_bundle: Bundle):
    faults = fault_of(tones_bundle, noise_labels=frozenset())
    assert faults
    assert all(" noise at " in fault and fault.endswith("heard noise 1") for fault in faults)
    assert not any(fault.startswith("silence") for fault in faults)


def test_noise_that_a_station_does_not_listen_for_is_no_false_alarm(tones_bundle: Bundle):
    required = frozenset({"low_tone"})
    assert fault_of(tones_bundle, noise_labels=frozenset(), required_labels=required) == ()
    assert fault_of(tones_bundle, noise_labels=frozenset(), required_labels=required | NOISE)


@pytest.mark.parametrize(("mid", "passes"), [("/m/0chx_", True), ("/m/0838f", False)])
def test_white_noise_may_be_heard_in_noise_and_water_may_not(
    tones_bundle: Bundle, mid: str, passes: bool
):
    """What the bundle calls noise is AudioSet's class of white noise, or its class of water."""
    provenance = {"audioset_mids": ["/m/0bt9lr", "/m/06fnp", mid]}
    candidate = Bundle(tones_bundle.path, replace(tones_bundle.manifest, provenance=provenance))
    assert (fault_of(candidate, noise_labels=frozenset()) == ()) is passes


def test_a_label_that_nobody_listens_for_may_be_lost(
    in_use: Bundle, tones_bundle: Bundle, tmp_path: Path
):
    """High tones and noise change places: low ones are heard as before."""
    low, high, noise = tones_bundle.manifest.labels
    swapped = replace(tones_bundle.manifest, labels=(low, noise, high))
    candidate = rewrite_bundle(tones_bundle, swapped, out=tmp_path / "swapped")
    required = {label: frozenset({label}) for label in ("low_tone", "high_tone")}
    assert fault_of(candidate, in_use, required_labels=required["low_tone"]) == ()
    (loss, *_) = fault_of(candidate, in_use, required_labels=required["high_tone"])
    assert loss.startswith("high_tone hears 0 of 2 clips, before 2: held-out clips of tones@1")


def test_each_label_that_is_listened_for_needs_held_out_clips(in_use: Bundle, tones_bundle: Bundle):
    required = frozenset({"low_tone", "noise"})
    (fault,) = fault_of(tones_bundle, in_use, required_labels=required)
    assert fault.startswith("tones@1 has no held-out clips of noise to compare by")
    assert fault_of(tones_bundle, in_use, required_labels=required, without_holdout=True) == ()


def test_a_new_label_cannot_be_forgotten(tones_bundle: Bundle, tmp_path: Path):
    """The bundle in use has no held-out clips, and knows nothing that the station listens for."""
    before = tones_bundle.manifest
    labels = (*before.labels[:2], Label("whistle", "Whistle"))
    policies = dict(
        zip(("low_tone", "high_tone", "whistle"), before.policies.values(), strict=True)
    )
    old = {label: before.policies[label] for label in ("low_tone", "high_tone")}
    current = Bundle(tones_bundle.path, replace(before, labels=labels[:2], policies=old, files={}))
    changed = replace(before, version=2, labels=labels, policies=policies)
    candidate = rewrite_bundle(tones_bundle, changed, out=tmp_path / "candidate")
    options = {"noise_labels": frozenset({"whistle"})}
    assert fault_of(candidate, current, required_labels=frozenset({"whistle"}), **options) == ()
    (fault,) = fault_of(candidate, current, **options)
    assert "tones@1 has no held-out clips to compare by" in fault


def test_a_required_label_that_the_candidate_lacks_is_named(tones_bundle: Bundle):
    (fault,) = fault_of(tones_bundle, required_labels=frozenset({"low_tone", "whistle"}))
    assert fault == "labels: tones@1 has no label called whistle"


def test_the_budget_holds_in_this_room(tones_bundle: Bundle, tmp_path: Path):
    writer = StoreWriter(tmp_path / "clips")
    writer.add(np.zeros(16_000 * 10, np.float32), "ambient")
    assert fault_of(tones_bundle, store=writer.root) == ()
    writer.add(tone(500.0, 0.5, 10.0), "ambient")  # a hum that is no alarm
    writer.add(tone(500.0, 0.5, 10.0), "event", "low_tone")
    (fault,) = fault_of(tones_bundle, store=writer.root)
    assert fault == ("ambient clips: 1 false alarms in 0.01 h, 1 a day allow 0: low_tone 1")


def test_a_higher_threshold_keeps_the_budget(tones_bundle: Bundle, tmp_path: Path):
    writer = StoreWriter(tmp_path / "clips")
    writer.add(tone(500.0, 0.5, 10.0), "ambient")
    deaf = {label: LabelPolicy(1.0, 1.0) for label in tones_bundle.labels}
    candidate = Bundle(tones_bundle.path, replace(tones_bundle.manifest, policies=deaf))
    assert fault_of(candidate, store=writer.root) == ()


def test_the_room_may_sound_like_what_nobody_listens_for(tones_bundle: Bundle, tmp_path: Path):
    writer = StoreWriter(tmp_path / "clips")
    writer.add(tone(500.0, 0.5, 10.0), "ambient")
    high, low = frozenset({"high_tone"}), frozenset({"low_tone"})
    assert fault_of(tones_bundle, store=writer.root, required_labels=high) == ()
    (fault,) = fault_of(tones_bundle, store=writer.root, required_labels=low)
    assert fault.endswith("low_tone 1")


def test_a_golden_check_that_fails_is_the_only_reason(
    in_use: Bundle, tones_bundle: Bundle, tmp_path
):
    golden = tones_bundle.read_golden()
    broken = rewrite_bundle(tones_bundle, tones_bundle.manifest, out=tmp_path / "broken")
    write_golden(broken.path, Golden(golden.waveform, 1.0 - golden.scores))
    (fault,) = fault_of(broken, in_use, noise_labels=frozenset())
    assert "golden check: expected scores within 0.001" in fault
