"""`listener bench`: measured on this machine, printed as a table or as JSON."""

from __future__ import annotations

import json

import pytest

from listener.commands.bench import (
    Advice,
    BenchRun,
    Setup,
    advise,
    batch_sizes,
    bench_machine,
    best_of,
    longer_hop,
    measure_setups,
)
from listener.commands.load_test import Load
from listener.config.engine import EngineSettings
from listener.config.load import parse_config
from listener.config.station import Config
from listener.detection.bundle import Bundle
from listener.engines.engine import Engine
from listener.pipeline.plan import DetectionPlan
from listener.process import ExitCode
from tests.listener.commands.program import one_line, own_lines, run_listener


class Meter:
    """As if a patch took a millisecond, and a batch as much more as it has patches under 16."""

    def __init__(self) -> None:
        self.plans: list[DetectionPlan] = []

    def load_of(
        self,
        _engine: Engine,
        plan: DetectionPlan,
        settings: EngineSettings,
        _sources: int,
        _seconds: float,
    ) -> Load:
        self.plans.append(plan)
        audio, patch_seconds = plan.params.patch_hop_seconds, 0.001 + 0.016 / settings.max_batch
        return Load(audio, patch_seconds, patch_seconds)


def config_of(bundle: Bundle, count: int, **more: object) -> Config:
    sources = [{"name": f"s{number}", "kind": "microphone"} for number in range(count)]
    return parse_config({"bundle": bundle.path, "sources": sources, **more}, "test")


def bench(
    bundle: Bundle, capsys: pytest.CaptureFixture[str], wanted: int | None
) -> tuple[ExitCode, str]:
    load_of = Meter().load_of
    code = bench_machine(bundle.path, None, wanted, 0.1, as_json=False, load_of=load_of)
    return code, capsys.readouterr().out


def test_the_table_ends_with_the_settings_to_use(
    tones_bundle: Bundle, capsys: pytest.CaptureFixture[str]
):
    code, text = bench(tones_bundle, capsys, None)
    assert code is ExitCode.DONE
    # in sixteens a patch takes 2 ms: 240 sources at 0.48 s, of which it advises 168
    assert "up to 168 source(s), with headroom, by" in text
    assert text.splitlines()[-3:] == [
        'engine.kind = "litert"',
        "engine.max_batch = 16",
        "detection.patch_hop_seconds = 0.48",
    ]


def test_a_longer_hop_is_what_carries_more(
    tones_bundle: Bundle, capsys: pytest.CaptureFixture[str]
):
    code, text = bench(tones_bundle, capsys, 300)
    assert (code, text.splitlines()[-1]) == (ExitCode.DONE, "detection.patch_hop_seconds = 0.96")


def test_too_many_are_code_1(tones_bundle: Bundle, capsys: pytest.CaptureFixture[str]):
    code, text = bench(tones_bundle, capsys, 337)
    assert code is ExitCode.FAILED
    assert "up to 336 source(s)" in text


def test_a_config_says_how_many_are_wanted_and_which_labels(
    tones_bundle: Bundle, capsys: pytest.CaptureFixture[str]
):
    meter = Meter()
    config = config_of(tones_bundle, 3, detection={"labels": ["low_tone"]})
    code = bench_machine(None, config, None, 0.1, as_json=True, load_of=meter.load_of)
    document = json.loads(capsys.readouterr().out)
    assert (code, document["sources_tried"]) == (ExitCode.DONE, 3)
    assert {tuple(plan.policies) for plan in meter.plans} == {("low_tone",)}
    assert {trial["max_batch"] for trial in document["trials"]} == {1}  # of three sources


def test_it_measures_this_machine(tones_bundle: Bundle):
    options = ("--sources", "4", "--seconds", "0.05", "--json")
    done = run_listener("bench", "--bundle", tones_bundle.path, *options)
    document = json.loads(done.stdout)
    assert own_lines(done.stderr) == []
    assert document["bundle"] == "tones@1"
    assert {trial["engine"] for trial in document["trials"]} >= {"litert", "openvino"}
    assert all(trial["sources"] > 0 for trial in document["trials"])
    assert done.returncode == (0 if document["use"]["sources"] >= 4 else 1)


def test_without_a_bundle_it_is_one_line_and_exit_code_2():
    done = run_listener("bench", environment={"EARSHOT_BUNDLE": ""})
    assert (done.returncode, done.stdout) == (2, "")
    assert one_line(done.stderr).startswith("expected a bundle: give --bundle")


LITERT, OPENVINO = Setup("litert", 16, 0.48), Setup("openvino", 16, 0.48)
LONGER = Setup("openvino", 16, 0.96)


@pytest.mark.parametrize(
    ("sources", "sizes"), [(1, (1,)), (3, (1,)), (4, (1, 4)), (300, (1, 4, 16))]
)
def test_no_batch_is_larger_than_the_number_of_sources(sources: int, sizes: tuple[int, ...]):
    assert batch_sizes(sources) == sizes


def test_setups_take_turns_and_their_medians_count():
    asked: list[Setup] = []
    seconds = iter([1.0, 2.0, 4.0, 3.0, 2.0, 100.0])

    def measure(setup: Setup) -> Load:
        asked.append(setup)
        return Load(120.0, next(seconds), 0.24)

    runs = measure_setups([LITERT, OPENVINO], measure)
    assert asked == [LITERT, OPENVINO] * 3
    assert runs == [BenchRun(LITERT, 60.0, 2.0), BenchRun(OPENVINO, 40.0, 2.0)]


@pytest.mark.parametrize(("first", "best"), [(96.0, LITERT), (90.0, OPENVINO)])
def test_the_first_of_those_that_are_alike_is_the_best(first: float, best: Setup):
    assert best_of([BenchRun(LITERT, first, 1.0), BenchRun(OPENVINO, 100.0, 1.0)]).setup == best


def test_a_longer_hop_is_twice_the_hop_up_to_a_patch():
    assert longer_hop(OPENVINO, 0.96) == LONGER
    assert longer_hop(LONGER, 0.96) is None


RUNS = [BenchRun(LITERT, 60.0, 2.0), BenchRun(OPENVINO, 100.0, 1.0), BenchRun(LONGER, 200.0, 0.5)]


@pytest.mark.parametrize(
    ("wanted", "advice", "carried"),
    [
        (None, Advice(OPENVINO, 70), True),  # seven tenths of what it can do
        (70, Advice(OPENVINO, 70), True),
        (71, Advice(LONGER, 140), True),
        (140, Advice(LONGER, 140), True),
        (141, Advice(LONGER, 140), False),
    ],
)
def test_the_hop_stays_unless_too_many_are_wanted(
    wanted: int | None, advice: Advice, carried: bool
):
    assert advise(RUNS, wanted) == advice
    assert advice.carries(wanted) is carried
