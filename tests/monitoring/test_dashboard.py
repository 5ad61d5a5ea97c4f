"""The dashboard is what Grafana takes, and every query of it finds what a real station gives."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from listener.detection.bundle import Bundle
from tests.listener.scenes import two_tones, write_sound
from tests.listener.sinks.test_metrics import METRICS
from tests.rigs.mosquitto import Mosquitto, free_port, wait_until
from tests.rigs.prometheus import Prometheus, prometheus
from tests.rigs.station import running_station
from tests.shared import ROOT

TEXT = (ROOT / "monitoring" / "grafana" / "earshot.json").read_text()
RULES = ROOT / "monitoring" / "prometheus" / "rules.yml"
DASHBOARD: dict[str, Any] = json.loads(TEXT)
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
VARIABLES: list[dict[str, Any]] = DASHBOARD["templating"]["list"]
GRID_COLUMNS = 24

# What Grafana would put in their place, for a station that is scraped once a second
IN_PLACE = {
    "$__rate_interval": "5s",
    "$__interval": "2s",
    "$__range": "5m",
    "$instance": ".+",
    "$source": ".+",
    "$label": ".+",
}
RANGE_SECONDS = 300.0
DEADLINE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Query:
    """One query of the dashboard, as Prometheus gets it."""

    name: str
    expression: str
    instant: bool


def filled_in(expression: str) -> str:
    for variable, value in IN_PLACE.items():
        expression = expression.replace(variable, value)
    return expression


def queries() -> list[Query]:
    of_panels = [
        Query(f"{panel['title']} {target['refId']}", filled_in(target["expr"]), target["instant"])
        for panel in PANELS
        for target in panel.get("targets", [])
    ]
    of_annotations = [
        Query(f"annotation {annotation['name']}", filled_in(annotation["expr"]), instant=False)
        for annotation in DASHBOARD["annotations"]["list"]
        if "expr" in annotation
    ]
    return of_panels + of_annotations


def test_grafana_knows_every_field_of_it():
    """Grafana's own model of a dashboard, made from its schemas, drops what it does not know."""
    register_default_plugins()
    known = json.loads(json.dumps(Dashboard.from_json(DASHBOARD), cls=JSONEncoder))
    # of the Prometheus data source's annotations, which the model of a dashboard leaves open
    assert [*unknown_fields(DASHBOARD, known)] == ["annotations.list.1.titleFormat"]


def unknown_fields(ours: Any, known: Any, path: str = "") -> Iterator[str]:
    if isinstance(ours, dict | list):
        for key, value in ours.items() if isinstance(ours, dict) else enumerate(ours):
            where = f"{path}.{key}".lstrip(".")
            if isinstance(known, dict) and key not in known:
                yield where
            else:
                yield from unknown_fields(value, known[key], where)
    elif ours != known:
        yield path


def test_a_field_that_grafana_does_not_know_is_seen():
    """The control."""
    register_default_plugins()
    wrong = json.loads(TEXT.replace('"fillOpacity"', '"fillOpaqueness"'))
    known = json.loads(json.dumps(Dashboard.from_json(wrong), cls=JSONEncoder))
    assert any(name.endswith("fillOpaqueness") for name in unknown_fields(wrong, known))


def test_it_can_be_imported_anywhere():
    assert DASHBOARD["schemaVersion"] >= 36  # Grafana 9 and newer bring it up to date
    assert "id" not in DASHBOARD  # the importing Grafana gives one
    chosen = {"${datasource}", "-- Grafana --"}
    assert set(re.findall(r'"uid": "([^"]+)"', TEXT)) - {DASHBOARD["uid"]} == chosen
    assert VARIABLES[0]["name"] == "datasource"


def test_panels_have_their_own_ids_names_and_places():
    ids = [panel["id"] for panel in PANELS]
    titles = [panel["title"] for panel in PANELS]
    assert len(set(ids)) == len(ids)
    assert len(set(titles)) == len(titles)
    cells = [cell for panel in PANELS for cell in cells_of(panel["gridPos"])]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < GRID_COLUMNS


def cells_of(place: dict[str, int]) -> Iterator[tuple[int, int]]:
    columns = range(place["x"], place["x"] + place["w"])
    return itertools.product(columns, range(place["y"], place["y"] + place["h"]))


def test_it_asks_only_for_metrics_that_the_station_gives():
    assert set(re.findall(r"\blistener_[a-z_]+", TEXT)) <= METRICS.keys()


def test_every_variable_of_a_query_is_known_to_grafana_or_to_the_dashboard():
    for query in queries():
        assert "$" not in query.expression, query


@dataclass(frozen=True, slots=True)
class Scraped:
    """A station and the Prometheus that scrapes it."""

    server: Prometheus
    instance: str


@pytest.fixture(scope="module")
def scraped(tones_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    """A hall where two tones sound again and again, and a cellar whose source is lost."""
    directory = tmp_path_factory.mktemp("monitored")
    port = free_port()
    hall = write_sound(directory / "hall.wav", two_tones())
    with Mosquitto(directory) as broker:
        config = {
            "station": "farm",
            "bundle": tones_bundle.path,
            "sources": [
                {"name": "hall", "kind": "file", "path": hall, "at_end": "restart"},
                {"name": "cellar", "kind": "file", "path": directory / "none.wav"},
            ],
            "mqtt": {"port": broker.port},
            "outbox": {"path": directory / "outbox.db"},
            "clips": {"enabled": True, "directory": directory / "clips"},
            "http": {"port": port},
        }
        with (
            running_station(directory, config),
            prometheus(directory, port, RULES) as server,
        ):
            yield Scraped(server, f"127.0.0.1:{port}")


def has_numbers(series: list[dict[str, Any]]) -> bool:
    samples = [
        sample for one in series for sample in [one.get("value"), *one.get("values", [])] if sample
    ]
    return any(math.isfinite(float(value)) for _, value in samples)


@pytest.mark.parametrize("query", queries(), ids=lambda query: query.name)
def test_every_query_gives_numbers(query: Query, scraped: Scraped):
    def found() -> list[dict[str, Any]]:
        if query.instant:
            return scraped.server.query(query.expression)
        return scraped.server.query_range(query.expression, RANGE_SECONDS)

    wait_until(lambda: has_numbers(found()), DEADLINE_SECONDS, f"numbers of {query.expression}")


def test_what_the_station_does_not_give_has_no_numbers(scraped: Scraped):
    """The control."""
    scraped.server.wait_for("listener_score", DEADLINE_SECONDS)
    assert not has_numbers(scraped.server.query_range("listener_confidence", RANGE_SECONDS))


def test_the_variables_offer_what_there_is(scraped: Scraped):
    expected = {
        "instance": {scraped.instance},
        "source": {"hall", "cellar"},
        "label": {"low_tone", "high_tone", "noise"},
    }
    assert [variable["name"] for variable in VARIABLES] == ["datasource", *expected]
    for variable in VARIABLES[1:]:
        parts = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
        assert parts is not None
        assert parts[2] == variable["name"]
        offered = scraped.server.wait_for(filled_in(parts[1]), DEADLINE_SECONDS)
        assert {one["metric"][parts[2]] for one in offered} == expected[parts[2]]


def test_the_timeline_has_a_bar_where_a_tone_sounded_and_none_in_silence(scraped: Scraped):
    panel = next(panel for panel in PANELS if panel["type"] == "state-timeline")
    expression = filled_in(panel["targets"][0]["expr"])

    def bars() -> dict[str, set[str]]:
        series = scraped.server.query_range(expression, RANGE_SECONDS)
        return {one["metric"]["label"]: {value for _, value in one["values"]} for one in series}

    both = {"low_tone": {"0", "1"}, "high_tone": {"0", "1"}}  # and no row for the noise
    wait_until(lambda: bars() == both, DEADLINE_SECONDS, f"rows {both}")
