"""The pipeline and the sinks receive the active plan, with every override that people set."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from listener.control.commands import MAX_MUTE_SECONDS, CommandError, Mute, SetThreshold, Unmute
from listener.pipeline.plan import Detection
from listener.runtime.active import ActivePlan, OverrideCommands
from listener.runtime.overrides import MuteOverride, Overrides, ThresholdOverride
from listener.sinks.sink import Notice, OverridesNotice
from tests.listener.runtime.test_hot_swap import Pipeline, detection


@dataclass
class NoticePipeline:
    """A pipeline that keeps its notices."""

    notices: list[Notice] = field(default_factory=list)
    adopted: int = 0

    def adopt(self, _detection: Detection) -> None:
        self.adopted += 1

    def notify(self, notice: Notice) -> None:
        self.notices.append(notice)

    @property
    def last(self) -> OverridesNotice:
        assert isinstance(self.notices[-1], OverridesNotice)
        return self.notices[-1]


def active_plan(overrides: Overrides) -> tuple[ActivePlan, NoticePipeline]:
    pipeline = NoticePipeline()
    return ActivePlan(pipeline, detection(1), overrides, ["hall", "barn"], lambda: 0.0), pipeline


def test_without_overrides_the_bundles_thresholds_apply():
    active, pipeline = active_plan(Overrides())
    policies = active.detection.plan.policies
    assert pipeline.adopted == 0
    assert pipeline.last.muted == frozenset()
    assert set(pipeline.last.thresholds) == {"hall", "barn"}
    assert pipeline.last.thresholds["hall"] == {
        label: policy.on_threshold for label, policy in policies.items()
    }


def test_a_threshold_applies_to_its_source():
    active, pipeline = active_plan(Overrides())
    label = active.labels[0]
    before = pipeline.last.thresholds["barn"][label]
    active.use_overrides(Overrides((ThresholdOverride("hall", label, 0.875),)))
    assert pipeline.last.thresholds["hall"][label] == 0.875
    assert pipeline.last.thresholds["barn"][label] == before != 0.875


def test_a_source_is_muted_when_all_of_its_labels_are():
    active, pipeline = active_plan(Overrides(mutes=(MuteOverride("hall", None, 60.0),)))
    assert pipeline.last.muted == {"hall"}
    active.use_overrides(Overrides(mutes=(MuteOverride("hall", active.labels[0], 60.0),)))
    assert pipeline.last.muted == frozenset()
    active.use_overrides(Overrides(mutes=(MuteOverride(None, None, 60.0),)))
    assert pipeline.last.muted == {"hall", "barn"}


WHEN = datetime(2026, 11, 20, tzinfo=UTC)


class Bench:
    def __init__(self, path: Path) -> None:
        self.now, self.path, self.pipeline = 1000.0, path, Pipeline()
        self.step = 0.0  # by which the clock was set
        self.active = ActivePlan(
            self.pipeline,
            detection(1),
            Overrides(),
            ["hall", "barn"],
            lambda: self.now + self.step,
            clock_offset=lambda: self.step,
        )
        self.commands = OverrideCommands(self.active, path)

    def muted(self, source: str = "hall") -> set[str]:
        return set(self.pipeline.adopted[-1].plan.policies_of(source).muted)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "state.json")


def test_a_mute_lasts_until_its_time(bench: Bench):
    answer = bench.commands.mute(Mute(id="a", at=WHEN, source="hall", label="loud", seconds=60.0))
    assert answer == {"until": 1060.0}
    assert (bench.muted("hall"), bench.muted("barn")) == ({"loud"}, set())
    bench.now = 1059.9
    bench.active.tick()
    assert bench.muted() == {"loud"}
    bench.now = 1060.0
    bench.active.tick()
    assert bench.muted() == set()


YEAR_SECONDS = 365 * 86_400.0


@pytest.mark.parametrize("step", [-YEAR_SECONDS, -7200.0, 3600.0, YEAR_SECONDS])
def test_a_mute_of_a_minute_lasts_a_minute_also_when_the_clock_is_set(bench: Bench, step: float):
    bench.commands.mute(Mute(id="a", at=WHEN, source="hall", label="loud", seconds=60.0))
    bench.now += 20.0
    bench.step = step
    bench.active.tick()
    assert bench.muted() == {"loud"}
    assert Overrides.read(bench.path).mutes[0].until == 1060.0 + step  # for the next start
    bench.now = 1059.9
    bench.active.tick()
    assert bench.muted() == {"loud"}
    bench.now = 1060.0
    bench.active.tick()
    assert bench.muted() == set()


def test_a_mute_by_the_system_clock_alone_would_last_a_year():
    """The control: an end in unix seconds, and a clock that is set back."""
    mutes = Overrides(mutes=(MuteOverride("hall", "loud", 1060.0),))
    assert mutes.at(1120.0 - YEAR_SECONDS).mutes
    assert not mutes.shifted(-YEAR_SECONDS).at(1120.0 - YEAR_SECONDS).mutes


def test_a_mute_of_the_future_is_cut_to_the_longest_at_the_start():
    """The clock was set back while the station was off."""
    mutes = Overrides(mutes=(MuteOverride("hall", None, YEAR_SECONDS),))
    active, _ = active_plan(mutes)
    assert active.overrides.mutes[0].until == MAX_MUTE_SECONDS


def test_a_disk_that_fails_while_the_clock_is_set_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    bench = Bench(tmp_path / "state.json")
    bench.commands.mute(Mute(id="a", at=WHEN, source="hall", label="loud", seconds=60.0))
    bench.path.unlink()
    tmp_path.rmdir()
    bench.step = -YEAR_SECONDS
    bench.active.tick()
    assert "state.json: cannot be written: No such file" in caplog.text
    assert bench.muted() == {"loud"}


def test_an_unmute_answers_with_the_number_of_ended_mutes(bench: Bench):
    for label in ("loud", "quiet"):
        bench.commands.mute(Mute(id="a", at=WHEN, label=label, seconds=60.0))
    assert bench.commands.unmute(Unmute(id="a", at=WHEN, label="loud")) == {"ended": 1}
    assert bench.muted() == {"quiet"}
    assert bench.commands.unmute(Unmute(id="a", at=WHEN)) == {"ended": 1}
    assert bench.commands.unmute(Unmute(id="a", at=WHEN)) == {"ended": 0}


def test_a_threshold_answers_with_those_that_apply_now(bench: Bench):
    answer = bench.commands.set_threshold(
        SetThreshold(id="a", at=WHEN, source="barn", label="loud", on=0.8)
    )
    assert answer == {"thresholds": {"barn": {"on": 0.8, "off": 0.5}}}
    answer = bench.commands.set_threshold(SetThreshold(id="a", at=WHEN, label="loud", on=0.7))
    assert answer["thresholds"] == {
        "hall": {"on": 0.7, "off": 0.5},
        "barn": {"on": 0.8, "off": 0.5},
    }
    assert Overrides.read(bench.path) == bench.active.overrides


def test_a_mute_of_0_seconds_ends_the_mute_of_that_source_and_label_alone(bench: Bench):
    for label in (None, "quiet"):
        bench.commands.mute(Mute(id="a", at=WHEN, source="hall", label=label, seconds=60.0))
    answer = bench.commands.mute(Mute(id="b", at=WHEN, source="hall", seconds=0.0))
    assert answer == {"until": 1000.0}
    assert bench.muted() == {"quiet"}
    assert [mute.label for mute in Overrides.read(bench.path).mutes] == ["quiet"]


def test_a_refused_command_changes_nothing(bench: Bench):
    for source, label, reason in (
        ("yard", "loud", "source: expected hall, barn, got 'yard'"),
        ("hall", "dog", "label: doubles@1 has no label 'dog'"),
    ):
        with pytest.raises(CommandError, match=reason):
            bench.commands.mute(Mute(id="a", at=WHEN, source=source, label=label, seconds=9.0))
    with pytest.raises(CommandError, match="threshold: expected off <= on"):
        bench.commands.set_threshold(SetThreshold(id="a", at=WHEN, label="loud", on=0.2, off=0.3))
    assert (bench.pipeline.adopted, bench.path.exists()) == ([], False)


def test_a_disk_that_fails_refuses_the_command(tmp_path: Path):
    bench = Bench(tmp_path / "missing" / "state.json")
    with pytest.raises(CommandError, match=r"state.json: cannot be written: No such file"):
        bench.commands.mute(Mute(id="a", at=WHEN, seconds=9.0))
    assert bench.pipeline.adopted == []
