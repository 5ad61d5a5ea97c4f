"""What Home Assistant gets of a real station, and each part of the bridge on its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from listener.detection.bundle import Bundle, Label
from listener.detection.policy import LabelPolicy
from listener.health import Health, OutboxHealth
from listener.homeassistant import bridge
from listener.homeassistant.bridge import BirthWatch, Diagnostics, DiscoveryPlan, HomeAssistantSink
from listener.homeassistant.devices import MOST_LABELS, Announcer, CommandSupport
from listener.mqtt.messages import InboundMessage
from listener.mqtt.topics import Topics
from listener.sinks.sink import BirthNotice, BundleNotice, EventNotice, OverridesNotice
from tests.bundles import LOW_TONE_HZ
from tests.listener.homeassistant.schema import problems
from tests.listener.homeassistant.templates import render_value
from tests.listener.sinks import notices
from tests.listener.sinks.notices import Published, RecordingPublisher
from tests.rigs.homeassistant import be_born, discovered, retained, use
from tests.rigs.mosquitto import Message, Mosquitto, subscribe, wait_until
from tests.rigs.station import StationProcess, running_station

RATE = 16_000
ROOT = "earshot/test"
LABELS = ("low_tone", "high_tone", "noise")
SECONDS = 30.0
STATION_TOPIC = "homeassistant/device/test/config"


def config_topic(source: str) -> str:
    return f"homeassistant/device/test/{source}/config"


@dataclass(frozen=True, slots=True)
class House:
    """A broker, and the files of a station; they stay from one run to the next."""

    folder: Path
    broker: Mosquitto
    bundle: Bundle

    def config(
        self,
        sources: tuple[str, ...] = ("hall", "barn"),
        labels: tuple[str, ...] = LABELS,
        **homeassistant: Any,
    ) -> dict[str, Any]:
        wav = self.folder / "beeps.wav"
        return {
            "station": "test",
            "bundle": self.bundle.path,
            "sources": [
                {"name": name, "kind": "file", "path": wav, "at_end": "restart"} for name in sources
            ],
            "detection": {"labels": list(labels)},
            "mqtt": {"port": self.broker.port},
            "http": {"enabled": False},
            "clips": {
                "enabled": True,
                "directory": self.folder / "clips",
                "ambient_per_hour": 0.0,
                "post_seconds": 0.1,
            },
            "control": {"mqtt": True},
            "homeassistant": {"enabled": True} | homeassistant,
        }

    def topics(self, sources: tuple[str, ...], labels: tuple[str, ...]) -> set[str]:
        """Everything that is retained of a station with an event on each of its sources."""
        of_sources = {
            f"{ROOT}/{source}/{name}"
            for source in sources
            for name in ("status", "bandwidth", "last", "muted")
        }
        of_labels = {
            f"{ROOT}/{source}/{name}/{label}"
            for source in sources
            for label in labels
            for name in ("state", "threshold")
        }
        of_station = {f"{ROOT}/status", f"{ROOT}/bundle", f"{ROOT}/diagnostics", STATION_TOPIC}
        return of_station | of_sources | of_labels | {config_topic(source) for source in sources}

    def wait_for_topics(self, wanted: set[str]) -> None:
        """Wait until exactly these are retained."""
        seen: set[str] = set()

        def is_so() -> bool:
            nonlocal seen
            seen = set(retained(self.broker.port, "homeassistant/#", "earshot/#"))
            return seen == wanted

        try:
            wait_until(is_so, SECONDS, "the retained topics")
        except TimeoutError:
            assert seen == wanted
            raise


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, tones_bundle: Bundle) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    t = np.arange(2 * RATE) / RATE
    sound = np.concatenate([0.5 * np.sin(2 * np.pi * LOW_TONE_HZ * t), np.zeros(2 * RATE)])
    soundfile.write(folder / "beeps.wav", sound, RATE, subtype="PCM_16")
    with Mosquitto(folder) as broker:
        yield House(folder, broker, tones_bundle)


@pytest.fixture(scope="module")
def station(house: House) -> Iterator[StationProcess]:
    """All but the last tests share it."""
    with running_station(house.folder, house.config(frigate_mirror="frigate")) as process:
        house.wait_for_topics(house.topics(("hall", "barn"), LABELS))
        yield process


def event(**expected: Any) -> Callable[[Message], bool]:
    """Whether a message is an event with these values."""

    def matches(message: Message) -> bool:
        if not message.topic.endswith("/event"):
            return False
        document = json.loads(message.payload)
        return all(document[key] == value for key, value in expected.items())

    return matches


def components(house: House, source: str = "hall") -> dict[str, Any]:
    found: dict[str, Any] = discovered(house.broker.port)[config_topic(source)]["components"]
    return found


@pytest.mark.usefixtures("station")
def test_the_documents_are_valid_for_home_assistant(house: House):
    documents = discovered(house.broker.port)
    assert set(documents) == {STATION_TOPIC, config_topic("hall"), config_topic("barn")}
    assert {topic: problems(document) for topic, document in documents.items()} == {
        topic: [] for topic in documents
    }


@pytest.mark.usefixtures("station")
def test_every_topic_that_an_entity_reads_is_retained_or_published(house: House):
    known = set(retained(house.broker.port, "earshot/#"))
    coming = {
        f"{ROOT}/{source}/{name}" for source in ("hall", "barn") for name in ("event", "level")
    }
    for document in discovered(house.broker.port).values():
        for component in document["components"].values():
            assert component.get("state_topic") in known | coming | {None}


@pytest.mark.usefixtures("station")
def test_a_birth_is_answered_with_every_device(house: House):
    with subscribe(house.broker.port, "homeassistant/device/#") as messages:
        before = len(messages.wait_for_topic(config_topic("barn"), seconds=SECONDS))
        be_born(house.broker.port)
        for topic in (STATION_TOPIC, config_topic("hall"), config_topic("barn")):
            messages.wait_for_topic(topic, before + 1, SECONDS)


@pytest.mark.usefixtures("station")
def test_after_the_broker_lost_everything_it_is_published_again(house: House):
    house.broker.stop()
    house.broker.start()
    house.wait_for_topics(house.topics(("hall", "barn"), LABELS))
    assert problems(discovered(house.broker.port)[config_topic("hall")]) == []


@pytest.mark.usefixtures("station")
def test_the_switch_mutes_its_source_alone_and_shows_it(house: House):
    port, switch = house.broker.port, components(house)["mute"]
    with subscribe(port, f"{ROOT}/+/event", "-t", f"{ROOT}/+/muted") as messages:
        messages.wait_for(event(source="hall", phase="start"), seconds=SECONDS)
        use(port, switch, "ON")
        messages.wait_for_payload(switch["state_topic"], "ON", SECONDS)
        messages.wait_for(event(source="hall", phase="end"), seconds=SECONDS)
        muted_at = len(messages.all)
        barn = len(messages.wait_for(event(source="barn", phase="start")))
        messages.wait_for(event(source="barn", phase="start"), barn + 2, SECONDS)
        assert not any(map(event(source="hall", phase="start"), messages.all[muted_at:]))
        use(port, switch, "OFF")
        messages.wait_for_payload(switch["state_topic"], "OFF", SECONDS)
        begun = len(messages.wait_for(event(source="hall", phase="start")))
        messages.wait_for(event(source="hall", phase="start"), begun + 1, SECONDS)
    assert retained(port, f"{ROOT}/barn/muted") == {f"{ROOT}/barn/muted": "OFF"}


@pytest.mark.usefixtures("station")
def test_the_number_shows_and_sets_the_threshold_of_its_source(house: House):
    port, number = house.broker.port, components(house)["threshold_noise"]
    with subscribe(port, f"{ROOT}/+/threshold/noise") as messages:
        messages.wait_for_payload(number["state_topic"], "0.5", SECONDS)
        use(port, number, 0.85)
        messages.wait_for_payload(number["state_topic"], "0.85", SECONDS)
    assert list(retained(port, f"{ROOT}/barn/threshold/noise").values()) == ["0.5"]


def verdicts(house: House, clip: str) -> list[dict[str, Any]]:
    sidecars = list((house.folder / "clips").rglob(f"{clip}.json"))
    found: list[dict[str, Any]] = (
        json.loads(sidecars[0].read_text())["verdicts"] if sidecars else []
    )
    return found


@pytest.mark.usefixtures("station")
def test_the_button_judges_the_clip_of_the_last_event(house: House):
    port, button = house.broker.port, components(house)["wrong"]
    topic = button["json_attributes_topic"]
    with subscribe(port, topic) as messages:
        ended = messages.wait_for(lambda m: json.loads(m.payload)["phase"] == "end", 1, SECONDS)[-1]
    available = button["availability"][1]
    assert render_value(available["value_template"], ended.payload) == "online"
    attributes = json.loads(render_value(button["json_attributes_template"], ended.payload))
    clip = attributes["clip"]
    wait_until(lambda: any((house.folder / "clips").rglob(f"{clip}.json")), SECONDS, "the clip")
    use(port, button, "PRESS", **attributes)
    wait_until(lambda: bool(verdicts(house, clip)), SECONDS, "a verdict")
    (verdict,) = verdicts(house, clip)
    assert (verdict["value"], verdict["who"]) == ("wrong", "Home Assistant")


@pytest.mark.usefixtures("station")
def test_frigates_topics_are_published(house: House):
    root = "frigate/hall/audio"
    with subscribe(house.broker.port, f"{root}/#") as messages:
        for name, payload in (
            ("low_tone", "ON"),
            ("all", "ON"),
            ("low_tone", "OFF"),
            ("all", "OFF"),
        ):
            messages.wait_for_payload(f"{root}/{name}", payload, SECONDS)
        assert float(messages.wait_for_topic(f"{root}/dBFS")[-1].payload) <= 0.0
        messages.wait_for_topic(f"{root}/rms")


def test_a_source_renamed_and_a_label_removed_while_the_station_was_off_leave_nothing_behind(
    house: House, station: StationProcess
):
    assert station.stop(SECONDS) == 0
    labels = ("low_tone", "high_tone")
    with running_station(house.folder, house.config(("hall", "shed"), labels)) as changed:
        house.wait_for_topics(house.topics(("hall", "shed"), labels))
        documents = discovered(house.broker.port)
        assert {topic: problems(document) for topic, document in documents.items()} == {
            topic: [] for topic in documents
        }
        gone = {n: c for n, c in components(house).items() if c.keys() == {"platform"}}
        assert gone == {
            "state_noise": {"platform": "binary_sensor"},
            "threshold_noise": {"platform": "number"},
        }
        assert not any("noise" in name for name in components(house, "shed"))
        assert changed.stop(SECONDS) == 0
    with running_station(house.folder, house.config(("hall", "shed"), LABELS)) as back:
        house.wait_for_topics(house.topics(("hall", "shed"), LABELS))
        assert components(house)["state_noise"]["name"] == "Noise"
        assert back.stop(SECONDS) == 0
    with running_station(house.folder, house.config(("hall",), LABELS, enabled=False)):
        wait_until(lambda: discovered(house.broker.port) == {}, SECONDS, "nothing announced")


FARM_HALL, LAST = "ha/device/farm/hall/config", "earshot/farm/hall/last"
FARM_LABELS = (Label("smoke_alarm", "Smoke alarm"), Label("doorbell", "Türklingel"))


def make_sink(
    folder: Path, labels: tuple[Label, ...] = FARM_LABELS
) -> tuple[HomeAssistantSink, RecordingPublisher]:
    publisher = RecordingPublisher()
    plan = DiscoveryPlan("ha", ("hall",), CommandSupport(commands=True, clips=True))
    announcer = Announcer(publisher, folder / "homeassistant.json")
    sink = HomeAssistantSink(publisher, announcer, Topics("earshot", "farm"), plan, labels)
    return sink, publisher


def hall_components(publisher: RecordingPublisher) -> dict[str, dict[str, object]]:
    document = json.loads(publisher.on(FARM_HALL)[-1].payload)
    assert problems(document) == []
    found: dict[str, dict[str, object]] = document["components"]
    return found


def test_the_station_is_announced_before_its_sources(tmp_path: Path):
    _, publisher = make_sink(tmp_path)
    assert [message.topic for message in publisher.published] == [
        "ha/device/farm/config",
        FARM_HALL,
    ]
    assert all(message.retain for message in publisher.published)
    assert hall_components(publisher)["state_doorbell"]["name"] == "Türklingel"


def test_another_bundle_adds_and_removes_components(tmp_path: Path):
    sink, publisher = make_sink(tmp_path)
    labels = (Label("siren", "Sirene"), Label("doorbell", "Bell"))
    policies = {label.slug: LabelPolicy() for label in labels}
    other = replace(notices.manifest(), labels=labels, policies=policies)
    sink.handle(BundleNotice(other, ("siren", "doorbell"), 0.0))
    found = hall_components(publisher)
    assert found["state_smoke_alarm"] == {"platform": "binary_sensor"}
    assert (found["state_siren"]["name"], found["state_doorbell"]["name"]) == ("Sirene", "Bell")
    assert publisher.on("earshot/farm/hall/state/smoke_alarm")[-1].payload == ""


def test_a_group_has_its_name(tmp_path: Path):
    sink, publisher = make_sink(tmp_path)
    sink.handle(BundleNotice(notices.manifest(), ("alarms",), 0.0, (Label("alarms", "Any alarm"),)))
    assert hall_components(publisher)["state_alarms"]["name"] == "Any alarm"


def test_after_a_birth_everything_is_announced_once_more(tmp_path: Path):
    sink, publisher = make_sink(tmp_path)
    first = list(publisher.published)
    sink.handle(BirthNotice())
    assert publisher.published == [*first, *first]


def test_too_many_labels_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    labels = tuple(Label(f"l{number}", "x") for number in range(MOST_LABELS + 1))
    make_sink(tmp_path, labels)
    assert "expected at most 100 labels, got 101" in caplog.text


def test_the_last_event_is_retained_at_its_start_and_its_end(tmp_path: Path):
    sink, publisher = make_sink(tmp_path)
    sink.handle(EventNotice(notices.start_of(), 0.0, "01JD9Z6T3W8Q5V1N2M4K7B0C9E"))
    sink.handle(notices.notice(notices.end_of()))
    start, end = publisher.on(LAST)
    assert (start.retain, start.qos) == (True, 1)
    assert json.loads(start.payload)["clip"] == "01JD9Z6T3W8Q5V1N2M4K7B0C9E"
    assert [json.loads(m.payload)["phase"] for m in (start, end)] == ["start", "end"]
    assert json.loads(end.payload)["label_name"] == "Smoke alarm"


def test_the_end_of_an_earlier_event_does_not_replace_the_last_one(tmp_path: Path):
    sink, publisher = make_sink(tmp_path)
    later = replace(notices.start_of(label="doorbell"), id="01JD9Z6T3W8Q5V1N2M4K7B0C9F")
    for sound in (notices.start_of(), later, notices.end_of()):
        sink.handle(notices.notice(sound))
    published = [json.loads(message.payload)["label"] for message in publisher.on(LAST)]
    assert published == ["smoke_alarm", "doorbell"]


def test_overrides_are_retained_when_they_change_and_removed_with_their_label(tmp_path: Path):
    sink, publisher = make_sink(tmp_path)
    root = "earshot/farm/hall"
    publisher.published.clear()
    sink.handle(OverridesNotice({"hall": {"smoke_alarm": 0.5, "doorbell": 0.625}}, frozenset()))
    assert publisher.published == [
        Published(f"{root}/threshold/smoke_alarm", "0.5", 1, True),
        Published(f"{root}/threshold/doorbell", "0.625", 1, True),
        Published(f"{root}/muted", "OFF", 1, True),
    ]
    publisher.published.clear()
    sink.handle(OverridesNotice({"hall": {"doorbell": 0.625}}, frozenset({"hall"})))
    assert publisher.published == [
        Published(f"{root}/threshold/smoke_alarm", "", 1, True),
        Published(f"{root}/muted", "ON", 1, True),
    ]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def message(payload: bytes) -> InboundMessage:
    return InboundMessage("homeassistant/status", payload, False, None, None)


def test_a_birth_is_answered_once_within_the_jitter():
    clock = Clock()
    watch = BirthWatch(clock)
    watch.receive(message(b"online"))
    clock.now = bridge.JITTER_SECONDS
    assert [watch.is_due(), watch.is_due()] == [True, False]


def test_the_devices_of_a_house_do_not_all_answer_at_once():
    clock = Clock()
    watches = [BirthWatch(clock) for _ in range(200)]
    for watch in watches:
        watch.receive(message(b"online"))
    clock.now = bridge.JITTER_SECONDS / 2
    answered = sum(watch.is_due() for watch in watches)
    assert 40 < answered < 160  # one half of 200 by chance: 8 standard deviations


def test_births_in_a_row_are_answered_together():
    clock = Clock()
    watch = BirthWatch(clock)
    for _ in range(3):
        watch.receive(message(b"online"))
    clock.now = bridge.JITTER_SECONDS
    assert [watch.is_due(), watch.is_due()] == [True, False]


def test_its_will_and_other_messages_are_ignored():
    clock = Clock()
    watch = BirthWatch(clock)
    for payload in (b"offline", b"", b"\xff", b"ONLINE"):
        watch.receive(message(payload))
    clock.now = 1e6
    assert not watch.is_due()


def make_health() -> Health:
    health = Health(("dog",), "home-alarms@3", outbox=OutboxHealth())
    for name in ("hall", "barn"):
        health.add_source(name)
    return health


def test_the_diagnostics_are_sums():
    health = make_health()
    assert health.outbox is not None
    health.sources["hall"].dropped, health.sources["barn"].dropped = 3, 4
    health.outbox.events = 9
    assert bridge.diagnostics_document(health) == {"dropped_patches": 7, "waiting_messages": 9}


def test_the_diagnostics_are_retained_when_they_change_and_not_too_often():
    now, health, publisher = [0.0], make_health(), RecordingPublisher()
    diagnostics = Diagnostics(publisher, "farm/diagnostics", health, lambda: now[0])
    diagnostics.tick()
    health.sources["hall"].dropped = 1
    diagnostics.tick()
    now[0] = bridge.INTERVAL_SECONDS
    for _ in range(3):
        diagnostics.tick()
    published = [json.loads(message.payload)["dropped_patches"] for message in publisher.published]
    assert published == [0, 1]
    assert all((m.topic, m.retain) == ("farm/diagnostics", True) for m in publisher.published)
