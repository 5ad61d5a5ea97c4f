"""`engine.kind = "auto"`: the fastest engine, or the first one unless another is clearly faster."""

from __future__ import annotations

import logging
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from listener.adapters import choose_engine, installed_kinds, open_engine
from listener.config.engine import EngineKind, EngineSettings, FrontEndPlace
from listener.detection.bundle import Bundle, BundleError
from listener.engines.engine import Engine, EngineError, WindowEngine
from listener.engines.openvino import OpenVINOEngine
from listener.engines.selection import EngineChoice, OpenEngine, fastest_engine
from tests.doubles import LoudnessEngine, Outputs


def four_patches(_engine: Engine) -> NDArray[np.float32]:
    return np.zeros((4, 96, 64), np.float32)


class Clock:
    """Time that passes only while an engine works."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds


class TimedEngine(LoudnessEngine):
    """Takes so many seconds a batch, and `first` more for its first one."""

    def __init__(self, clock: Clock, seconds: float, first: float = 0.0) -> None:
        super().__init__()
        self._clock, self._seconds, self._first = clock, seconds, first

    def infer(self, patches: NDArray[np.float32]) -> Outputs:
        self._clock.seconds += self._seconds if self.batches else self._first + self._seconds
        return super().infer(patches)


def choice_of(clock: Clock, **seconds: float) -> EngineChoice:
    """The choice between engines that take so many seconds a batch of 4."""
    openers: dict[EngineKind, OpenEngine] = {
        kind: opener(TimedEngine(clock, each))  # type: ignore[misc]
        for kind, each in seconds.items()
    }
    return fastest_engine(openers, four_patches, clock.now)


def opener(engine: Engine) -> OpenEngine:
    return lambda: engine


def refusal(error: Exception) -> OpenEngine:
    def refuse() -> Engine:
        raise error

    return refuse


def test_the_fastest_is_chosen_and_the_line_says_how_fast_each_is():
    choice = choice_of(Clock(), litert=0.02, openvino=0.01, tensorflow=0.04)
    assert choice.kind == "openvino"
    assert choice.why == "patches/s in batches of 4: litert 200, openvino 400, tensorflow 100"


@pytest.mark.parametrize(("openvino", "chosen"), [(0.0098, "litert"), (0.0090, "openvino")])
def test_the_first_is_kept_unless_another_is_a_twentieth_faster(openvino: float, chosen: str):
    assert choice_of(Clock(), litert=0.01, openvino=openvino).kind == chosen


def test_all_engines_together_are_measured_for_about_a_second():
    clock = Clock()
    choice_of(clock, litert=0.02, openvino=0.03)
    assert 1.0 <= clock.seconds <= 1.0 + 2 * 0.05  # the first batches, and a round at the end


def test_slow_engines_have_three_rounds():
    clock = Clock()
    choice_of(clock, litert=2.0, openvino=1.0)
    assert clock.seconds == (1 + 3) * 3.0


def test_the_first_batch_of_an_engine_is_not_counted():
    clock = Clock()
    openers: dict[EngineKind, OpenEngine] = {
        "litert": opener(TimedEngine(clock, 0.02)),
        "openvino": opener(TimedEngine(clock, 0.01, first=100.0)),
    }
    assert fastest_engine(openers, four_patches, clock.now).kind == "openvino"


def test_an_engine_that_cannot_be_opened_is_left_out_with_its_reason():
    clock = Clock()
    openers: dict[EngineKind, OpenEngine] = {
        "litert": opener(TimedEngine(clock, 0.02)),
        "openvino": opener(TimedEngine(clock, 0.01)),
        "tensorflow": refusal(EngineError("not\ninstalled")),
    }
    choice = fastest_engine(openers, four_patches, clock.now)
    assert choice.kind == "openvino"
    assert choice.why.endswith("; tensorflow left out: not installed")


def test_a_single_engine_is_not_measured():
    engine = LoudnessEngine()
    openers: dict[EngineKind, OpenEngine] = {
        "litert": opener(engine),
        "openvino": refusal(BundleError("golden check: off by 0.3")),
    }
    choice = fastest_engine(openers, four_patches)
    assert (choice.engine, engine.batches) == (engine, [])
    assert choice.why == (
        "no other is installed or can run it; openvino left out: golden check: off by 0.3"
    )


def test_without_any_engine_the_error_has_every_reason():
    openers: dict[EngineKind, OpenEngine] = {
        "litert": refusal(BundleError("one")),
        "openvino": refusal(EngineError("two")),
    }
    with pytest.raises(BundleError, match="one; two"):
        fastest_engine(openers, four_patches)


def test_a_station_on_auto_uses_an_installed_engine_and_logs_why(
    tones_bundle: Bundle, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.INFO, "listener.adapters"):
        choice = choose_engine(tones_bundle, EngineSettings(kind="auto", max_batch=4))
    assert choice.kind in installed_kinds()
    assert "openvino" in installed_kinds()
    assert caplog.messages == [f"engine {choice.kind}: {choice.why}"]
    assert choice.why.startswith("patches/s in batches of 4: litert ")


def test_auto_refuses_engines_that_fail_the_golden_check(tones_bundle: Bundle, tmp_path: Path):
    broken = shutil.copytree(tones_bundle.path, tmp_path / "broken")
    with (broken / "golden.npz").open("rb") as file, np.load(file) as arrays:
        waveform, scores = arrays["waveform"], arrays["scores"]
    np.savez(broken / "golden.npz", waveform=waveform, scores=1.0 - scores)
    with pytest.raises(BundleError, match=r"golden check.*; .*golden check"):
        open_engine(Bundle(broken, tones_bundle.manifest), EngineSettings(kind="auto"))


def test_the_engine_that_the_config_names_is_used(tones_bundle: Bundle):
    choice = choose_engine(tones_bundle, EngineSettings(kind="openvino"))
    assert choice.kind == "openvino"
    assert isinstance(choice.engine, OpenVINOEngine)


def open_tensorflow_at(place: FrontEndPlace, bundle: Bundle) -> Engine:
    return open_engine(bundle, EngineSettings(kind="tensorflow", front_end=place))


def test_log_mel_on_the_device_passes_the_golden_check(tones_bundle: Bundle):
    assert isinstance(open_tensorflow_at("device", tones_bundle), WindowEngine)


def test_the_golden_check_uses_the_engines_own_log_mel(tones_bundle: Bundle):
    """The golden scores do not fit the manifest's log-mel, but that of the SavedModel."""
    features = replace(tones_bundle.manifest.features, log_offset=1.0)
    other = Bundle(tones_bundle.path, replace(tones_bundle.manifest, features=features))
    with pytest.raises(BundleError, match="golden check: expected scores within"):
        open_tensorflow_at("cpu", other)
    open_tensorflow_at("device", other)


def test_without_the_extras_there_is_only_litert(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "openvino", None)  # how Python marks a module as absent
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    assert installed_kinds() == ("litert",)
