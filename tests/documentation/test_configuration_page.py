"""The page on the configuration is the one that the models make now."""

from listener.config.station import Config
from tests.documentation.configuration_page import EXAMPLE, PAGE, configuration_page
from tests.documentation.settings import example_comments, settings_tables


def test_the_page_is_up_to_date():
    assert PAGE.read_text() == configuration_page(), "run: make docs"


def test_every_table_and_every_kind_of_source_has_a_section():
    page = configuration_page()
    for kind in ("microphone", "file", "stdin", "stream"):
        assert f'## `[[sources]]` of `kind = "{kind}"`' in page
    for table in ("mqtt", "mqtt.tls", "detection.policies.<name>", "clips", "review"):
        assert f"## `[{table}]`" in page


def test_a_key_has_its_default_what_is_allowed_and_what_the_example_says():
    lines = configuration_page().splitlines()
    assert "| `bundle` | needed | path | made by: trainer backbone --out models/yamnet |" in lines
    assert (
        "| `max_gap_seconds` |  | number from 0 | events with a gap up to this are merged |"
        in lines
    )
    port = next(line for line in lines if line.startswith("| `port` | `1883`"))
    assert "whole number from 1, at most 65535" in port


def test_each_key_of_each_model_has_a_row():
    rows = configuration_page().count("\n| `")
    assert rows == sum(len(table.keys) for table in settings_tables())
    assert rows > len(Config.model_fields)


def test_the_kind_of_an_engine_is_no_kind_of_source():
    comments = example_comments(EXAMPLE)
    assert comments["engine", "kind"].startswith('or "openvino"')
    assert comments["stdin", "kind"].startswith("arecord")
