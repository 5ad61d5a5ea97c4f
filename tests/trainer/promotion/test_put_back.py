"""The station puts a bundle back by itself: the trainer's history follows the link, whatever moved it."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from listener.config.engine import DetectionSettings
from listener.config.station import ControlSettings
from listener.detection.bundle import Bundle, read_bundle
from listener.health import Health
from listener.pipeline.plan import Detection
from listener.planning import make_detection_plan
from listener.runtime.active import ActivePlan
from listener.runtime.hot_swap import BundlePath, HotSwap
from listener.runtime.overrides import Overrides
from listener.sinks.sink import Notice
from tests.doubles import LoudnessEngine
from trainer.errors import PromotionError
from trainer.promotion.models import HISTORY_FILE, ModelsDirectory, read_history
from trainer.report.rewrite import rewrite_bundle

JUDGED = ControlSettings(rollback_factor=3.0, rollback_least_events=5)
HOUR = 3600.0


class Pipeline:
    def adopt(self, detection: Detection) -> None:
        pass

    def notify(self, notice: Notice) -> None:
        pass


class Station:
    """What of a running station follows the link, with a clock and events of the test's."""

    def __init__(self, models: Path) -> None:
        path, self.now = BundlePath(models / "current"), 0.0
        first = self.load(path.resolve())
        self.health = Health(tuple(first.plan.policies), first.plan.bundle)
        self.health.add_source("hall")
        self.hot_swap = HotSwap(
            ActivePlan(Pipeline(), first, Overrides(), ["hall"]),
            path,
            self.load,
            self.health,
            JUDGED,
            lambda _bundle, _path, _reason: None,
            lambda: self.now,
        )

    def load(self, path: Path) -> Detection:
        bundle = read_bundle(path)
        plan = make_detection_plan(bundle, DetectionSettings(), "test")
        return Detection(LoudnessEngine(), plan, bundle.manifest)

    def run_for(self, seconds: float, events: int = 0) -> None:
        self.health.sources["hall"].by_label.events[0] += events
        self.now += seconds
        self.hot_swap.tick()


class Yard:
    """A models directory with `versions` promoted one after another while a station follows the link."""

    def __init__(self, folder: Path, tones: Bundle, versions: int) -> None:
        self.models, self._folder, self._tones = ModelsDirectory(folder / "models"), folder, tones
        self.models.promote(self.version(1))
        self.station = Station(self.models.path)
        for number in range(2, versions + 1):
            self.models.promote(self.version(number))
            self.station.run_for(HOUR)

    def version(self, number: int) -> Bundle:
        path = self._folder / f"v{number}"
        manifest = replace(self._tones.manifest, version=number)
        return (
            read_bundle(path) if path.exists() else rewrite_bundle(self._tones, manifest, out=path)
        )

    def raise_alarms(self) -> None:
        """Far more events than in the hour before."""
        self.station.run_for(HOUR / 2, events=100)

    def link(self, name: str) -> str:
        return str((self.models.path / name).readlink())


@pytest.fixture
def yard(tmp_path: Path, tones_bundle: Bundle) -> Yard:
    """Three were promoted, and the station has put the second one back."""
    yard = Yard(tmp_path, tones_bundle, 3)
    yard.raise_alarms()
    assert yard.link("current") == "tones@2"
    return yard


def test_a_rollback_goes_on_from_what_the_station_put_back(
    yard: Yard, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.WARNING):
        assert yard.models.roll_back().id == "tones@1"
    (line,) = caplog.messages
    assert line.startswith("tones@2 is in use, not tones@3, which was promoted last")
    with pytest.raises(PromotionError, match="nothing was in use before"):
        yard.models.roll_back()


def test_a_promotion_comes_after_what_the_station_put_back(yard: Yard):
    yard.models.promote(yard.version(4))
    assert read_history(yard.models.path) == ["tones@1", "tones@2", "tones@4"]
    assert (yard.link("current"), yard.link("previous")) == ("tones@4", "tones@2")
    assert yard.models.roll_back().id == "tones@2"


def test_the_history_says_what_was_put_back_instead_of_what(yard: Yard):
    yard.models.promote(yard.version(3))  # once more, for instance with other thresholds beside it
    entries = [
        json.loads(line) for line in (yard.models.path / HISTORY_FILE).read_text().splitlines()
    ]
    assert [(entry["bundle"], entry.get("instead_of")) for entry in entries] == [
        ("tones@1", None),
        ("tones@2", "tones@3"),
        ("tones@3", None),
    ]


def test_the_link_for_people_follows(tmp_path: Path, tones_bundle: Bundle):
    """After the first of two is put back nothing was in use before it."""
    yard = Yard(tmp_path, tones_bundle, 2)
    yard.raise_alarms()
    assert yard.link("current") == "tones@1"
    assert yard.link("previous") == "tones@1"  # of which the station does not know
    with pytest.raises(PromotionError, match="nothing was in use before"):
        yard.models.roll_back()
    assert not (yard.models.path / "previous").exists()


def test_a_rollback_that_the_station_takes_back_loses_no_way_back(
    tmp_path: Path, tones_bundle: Bundle
):
    """Under the older bundle a label jumps: the station puts the newer one back."""
    yard = Yard(tmp_path, tones_bundle, 2)
    yard.models.roll_back()
    yard.station.run_for(HOUR)
    yard.raise_alarms()
    assert yard.link("current") == "tones@2"
    yard.models.promote(yard.version(3))
    assert [yard.models.roll_back().id for _ in range(2)] == ["tones@2", "tones@1"]
