"""A real station beside a real broker: metrics, topics, payloads, commands, pages, files."""

from __future__ import annotations

import json
import re
import sqlite3
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from prometheus_client.parser import text_string_to_metric_families

from tests.contracts.answers import TOKEN, Scene, dump_answers
from tests.contracts.around import (
    Message,
    Station,
    Subscriber,
    free_port,
    http,
    mosquitto,
    running,
    wait_until,
    web_server,
)
from tests.contracts.dump import Dump, array_digests, audio_digest, files_under, lines_of, shape
from tests.contracts.offline import make_scenes

_CONFIG = """
station = "test"
bundle = "{starter}"
[[sources]]
name = "scene"
kind = "file"
path = "scene.wav"
pace = "fast"
[[sources]]
name = "room"
kind = "file"
path = "room.wav"
[labels]
alarms = ["smoke_alarm", "co_alarm"]
[detection]
labels = ["siren", "doorbell", "reversing_beeper", "appliance_beep", "telephone"]
[[quiet]]
begin = "00:00"
end = "23:59"
labels = ["telephone"]
[console]
format = "jsonl"
[mqtt]
port = {mqtt}
level_interval_seconds = 0
[homeassistant]
enabled = true
frigate_mirror = "frigate"
[webhook]
url = "http://127.0.0.1:{webhook}/events"
token_file = "token"
[event_file]
path = "events.jsonl"
[hook]
program = ["/bin/sh", "-c", "cat >> hook.jsonl; echo >> hook.jsonl"]
[http]
port = {http}
[control]
mqtt = true
http_token_file = "token"
[clips]
enabled = true
near_misses_per_hour = 0
ambient_per_hour = 0
[review]
enabled = true
port = {review}
"""
_REMOTE = """
bundle = "{starter}"
[[sources]]
name = "room"
kind = "file"
path = "room.wav"
[engine]
kind = "remote"
[engine.remote]
urls = ["grpc://127.0.0.1:{dead}"]
[http]
port = {http}
"""


def dump_station(dump: Dump) -> None:
    """All that others get from a station, from its start to its end."""
    folder = dump.work / "station"
    folder.mkdir()
    _write_sounds(dump, folder)
    (folder / "token").write_text(TOKEN)
    with mosquitto(folder) as mqtt, web_server() as (webhook, posts):
        ears, ports = Subscriber(mqtt), {"http": free_port(), "review": free_port()}
        config = _CONFIG.format(starter=dump.starter, mqtt=mqtt, webhook=webhook, **ports)
        (folder / "config.toml").write_text(config)
        with running(dump, folder) as station:
            scene = Scene(dump, folder, ears, **ports, posts=posts)
            _wait_for_end_of_scene(scene, station)
            _dump_events(scene)
            _dump_metrics(dump, ports["http"], "metrics", ("events_total", "patches_total"))
            _dump_pages(scene)
            dump_answers(scene)
            _dump_metrics(dump, ports["http"], "metrics_after", ("commands_total",))
            dump.json("exit_code.json", station.stop())
        time.sleep(0.5)  # what the broker still has for us
        ears.close()
    _dump_topics(dump, ears.messages)
    _dump_files(dump, folder)


def dump_remote_metrics(dump: Dump) -> None:
    """The metrics of a station whose model servers are away."""
    folder = dump.work / "remote"
    folder.mkdir()
    _write_sounds(dump, folder)
    port = free_port()
    (folder / "config.toml").write_text(
        _REMOTE.format(starter=dump.starter, dead=free_port(), http=port)
    )
    with running(dump, folder) as station:
        wait_until(lambda: station.ended or _is_ready(port), "a station that scores", 60)
        _dump_metrics(dump, port, "metrics", ())
        dump.json("exit_code.json", station.stop())


def _write_sounds(dump: Dump, folder: Path) -> None:
    parts, noise = [], np.random.default_rng(1).normal(0, 0.003, 300 * 16000)
    for path in sorted(make_scenes(dump, 1, 3).glob("*.flac")) + sorted(
        make_scenes(dump, 4, 6).glob("*2.flac")
    ):
        samples, rate = soundfile.read(path, dtype="float32")
        parts.append(samples)
    soundfile.write(folder / "scene.wav", np.concatenate(parts), rate)
    soundfile.write(folder / "room.wav", noise, 16000)


def _is_ready(port: int) -> bool:
    try:
        return http(port, "/readyz")[0] == 200
    except OSError:
        return False


def _events(ears: Subscriber, source: str = "scene") -> list[Any]:
    return [message.value for message in ears.of(f"earshot/test/{source}/event")]


def _wait_for_end_of_scene(scene: Scene, station: Station) -> None:
    """Until the scene was heard to its end, and everyone has been told."""
    ears, status = scene.ears, "earshot/test/scene/status"

    def heard() -> bool:
        said = [message.payload for message in ears.of(status)]
        return not station.ended and "online" in said and said[-1] == "offline"

    wait_until(heard, "the end of the scene", 90)
    hook, file = scene.folder / "hook.jsonl", scene.folder / "events.jsonl"

    def told() -> bool:
        ended = [event for event in _events(ears) if event["phase"] == "end"]
        counts = {len(_events(ears)), 2 * len(ended), len(scene.posts)}
        counts |= {len(lines_of(path.read_text())) if path.exists() else 0 for path in (hook, file)}
        return not station.ended and len(counts) == 1 and len(scene.clips) == len(ended) > 0

    wait_until(told, "events told to everyone")


def _dump_events(scene: Scene) -> None:
    """Events on MQTT, in a POST, in a file and to a program."""
    dump, events = scene.dump, _events(scene.ears)
    first = datetime.fromisoformat(events[0]["onset"])
    for event in events:
        for key in ("onset", "offset"):
            if event[key] is not None:
                event[key] = round((datetime.fromisoformat(event[key]) - first).total_seconds(), 2)
    dump.json("events/mqtt.json", events)
    dump.json("events/mqtt_room.json", shape(_events(scene.ears, "room")))
    dump.json("events/webhook.json", [body for _, body in scene.posts])
    keep = {"authorization", "content-type", "user-agent"}
    headers = [
        {key: value for key, value in head.items() if key in keep} for head, _ in scene.posts
    ]
    dump.json("events/webhook_headers.json", headers[0])
    for name in ("hook.jsonl", "events.jsonl"):
        dump.json(f"events/{name}", lines_of((scene.folder / name).read_text()))
    dump.json("events/console.json", lines_of((scene.folder / "stdout").read_text()))


def _dump_metrics(dump: Dump, port: int, name: str, valued: Sequence[str]) -> None:
    """Names, types and label names; in a file of their own the help texts, and some values."""
    families = list(text_string_to_metric_families(http(port, "/metrics")[2].decode()))
    found: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for family in families:
        samples: dict[str, set[str]] = defaultdict(set)
        for sample in family.samples:
            samples[sample.name] |= set(sample.labels)
            if sample.name.endswith(tuple(valued)) and sample.labels.get("source") != "room":
                values[f"{sample.name}{sorted(sample.labels.items())}"] = sample.value
            if sample.name.startswith("listener_") and sample.name.endswith("_info"):
                values[sample.name] = sample.labels
        buckets = sorted({float(s.labels["le"]) for s in family.samples if "le" in s.labels})
        labels = {
            sample: sorted(names)
            for sample, names in samples.items()
            if not sample.endswith("_created")
        }
        found[family.name] = {"type": family.type, "samples": labels, "buckets": buckets}
    dump.json(f"{name}.json", found)
    dump.json(f"{name}_values.json", values)
    dump.text(
        f"{name}_help.txt",
        "\n".join(sorted(f"{family.name}: {family.documentation}" for family in families)),
    )


def _dump_pages(scene: Scene) -> None:
    """/healthz, /readyz, and what the review page asks for."""
    clip, dump = scene.clips[0], scene.dump
    pages = [("http", path) for path in ("/healthz", "/readyz", "/nothing")]
    paths = ["station", "events", "clips", "clips?limit=0", "queue", "nothing"]
    paths += [f"clips/{clip}{rest}" for rest in ("", "/picture", "/similar", "/audio")] + [
        f"clips/{'0' * 26}"
    ]
    pages += [("review", f"/api/{path}") for path in paths] + [("review", "/")]
    found, texts = {}, {}
    for server, path in pages:
        status, headers, body = http(getattr(scene, server), path)
        head = {
            key: value
            for key, value in headers.items()
            if key.lower() not in ("date", "content-length", "etag", "last-modified")
        }
        kind = headers.get("Content-Type", headers.get("content-type", ""))
        value = shape([json.loads(body)]) if "json" in kind else None
        found[f"{server} {path}"] = {"status": status, "headers": head, "body": value}
        if status != 200 or server == "http":
            texts[f"{server} {path}"] = body.decode()
    dump.json("pages.json", found)
    dump.json("pages_texts.json", texts)


def _dump_topics(dump: Dump, messages: list[Message]) -> None:
    """Every topic: retained, QoS, shape of payloads; in files of their own what is said in full."""
    topics: dict[str, list[Message]] = defaultdict(list)
    for message in messages:
        if "/command/" not in message.topic or message.topic.endswith("/result"):  # not our own
            topics[message.topic].append(message)
    found = {
        topic: {
            "retained": sorted({message.retained for message in said}),
            "qos": sorted({message.qos for message in said}),
            "payload": shape([message.value for message in said]),
            "words": sorted({m.payload for m in said if isinstance(m.value, str)}),
        }
        for topic, said in topics.items()
    }
    dump.json("topics.json", found)
    dump.json(
        "discovery.json",
        {topic: said[0].value for topic, said in topics.items() if topic.endswith("/config")},
    )
    states = ("/status", "/muted", "/bundle")
    spoken = {
        topic: [m.value for m in said]
        for topic, said in topics.items()
        if topic.endswith(states) or "/state/" in topic or "/threshold/" in topic
    }
    dump.json("states.json", spoken)
    levels = [message.value for message in topics["earshot/test/scene/level"]]
    dump.json("levels.json", [[level["dbfs"], level["peak_dbfs"]] for level in levels])


def _dump_files(dump: Dump, folder: Path) -> None:
    """What lies on disk afterwards: clips, states, the tables of databases."""
    kept = [path for path in files_under(folder) if path.suffix not in (".wav", ".conf", ".log")]
    log = {re.sub(r"^\S+ \S+ ", "", line) for line in (folder / "stderr").read_text().splitlines()}
    dump.text("log.txt", "\n".join(sorted(map(dump.clean, log))))
    names = sorted({dump.clean(str(path.relative_to(folder))) for path in kept})
    dump.json("files/names.json", names)
    modes = {
        dump.clean(str(path.relative_to(folder))): oct(path.stat().st_mode & 0o777) for path in kept
    }
    dump.json("files/modes.json", modes)
    for name in ("state.json", "homeassistant.json"):
        dump.json(f"files/{name}", json.loads((folder / name).read_text()))
    for path in kept:
        if path.read_bytes()[:15] == b"SQLite format 3":
            dump.text(f"files/{path.stem}.sql", _tables(path))
    for number, sidecar in enumerate(sorted((folder / "clips").glob("*/*/*/*.json"))):
        document = json.loads(sidecar.read_text())
        if document.get("source") == "scene":
            audio, arrays = (
                audio_digest(sidecar.with_suffix(".flac")),
                array_digests(sidecar.with_suffix(".npz")),
            )
            dump.json(
                f"files/clip{number:02}.json",
                {"sidecar": document, "audio": audio, "arrays": arrays},
            )
        else:
            dump.json(f"files/clip{number:02}.json", shape([document]))


def _tables(path: Path) -> str:
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("select sql from sqlite_master where sql is not null order by name")
        version = database.execute("pragma user_version").fetchone()
        return "\n".join([*(row[0] for row in rows), f"user_version {version[0]}"])
