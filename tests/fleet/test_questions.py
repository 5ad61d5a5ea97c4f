"""What docs/fleet.md asks Prometheus while a bundle goes out, answered by Prometheus's own engine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.documentation.pages import blocks

QUESTIONS = [block.text for block in blocks("promql") if block.page.name == "fleet.md"]
HOURS = 24
# Two stations have version 1 and one has 2; that one hears the dog four times an hour, the others once.
VERSIONS = {"farm": 2, "barn": 1, "yard": 1}
DOGS_AN_HOUR = {"farm": 4, "barn": 1, "yard": 1}


def steady(per_hour: int) -> str:
    """A value an hour that grows by so much."""
    return f"0+{per_hour}x{HOURS}"


def series() -> list[dict[str, str]]:
    info = 'listener_bundle_info{{instance="{0}", name="mine", version="{1}"}}'
    events = 'listener_events_total{{instance="{0}", source="hall", label="dog"}}'
    switches = 'listener_bundle_switches_total{{instance="{0}", result="{1}"}}'
    bundles = {info.format(name, version): f"1x{HOURS}" for name, version in VERSIONS.items()}
    heard = {events.format(name): steady(count) for name, count in DOGS_AN_HOUR.items()}
    switched = {
        switches.format("farm", "taken"): f"0 1x{HOURS - 1}",
        switches.format("barn", "rolled_back"): f"0 1x{HOURS - 1}",
        switches.format("yard", "refused"): f"0x{HOURS}",
    }
    return [
        {"series": name, "values": values} for name, values in (bundles | heard | switched).items()
    ]


ANSWERS: list[dict[str, float]] = [
    {'{name="mine", version="1"}': 2, '{name="mine", version="2"}': 1},
    {'{instance="barn", result="rolled_back"}': 1},
    {'{version="1", label="dog"}': 6, '{version="2", label="dog"}': 24},
]


def test_the_page_asks_as_many_questions():
    assert len(QUESTIONS) == len(ANSWERS)


@pytest.mark.parametrize(("question", "answer"), [*zip(QUESTIONS, ANSWERS, strict=False)])
def test_prometheus_answers_a_question_of_the_page(
    question: str, answer: dict[str, float], tmp_path: Path
):
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    samples = [{"labels": labels, "value": value} for labels, value in answer.items()]
    asked: dict[str, Any] = {"expr": question, "eval_time": f"{HOURS}h", "exp_samples": samples}
    case = {"interval": "1h", "input_series": series(), "promql_expr_test": [asked]}
    file = tmp_path / "questions.yml"
    file.write_text(yaml.safe_dump({"tests": [case]}))
    tested = subprocess.run(
        ["promtool", "test", "rules", str(file)], capture_output=True, text=True, check=False
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr
