"""The rig itself: three stations for seconds, on a real Mosquitto."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.fleet.broker import connections_by_second, shipped_broker
from benchmarks.fleet.delivery import Rate
from benchmarks.fleet.keeping import Amounts, measure_keeping
from benchmarks.fleet.outage import Outage
from benchmarks.fleet.plan import Plan
from benchmarks.fleet.rig import measure_rig
from benchmarks.fleet.wire import measure_wire
from tests.rigs.mosquitto import need_mosquitto

PLAN = Plan(
    stations=3,
    keeps=(True,),
    rates=(Rate(10.0, 1.0),),
    outages=(Outage(10.0, 0.5),),
    amounts=Amounts(retained=500, connections=10, saved=(100,)),
)


def values(figures: list[Figure], what: str) -> dict[str, float]:
    """By part."""
    return {figure.part: figure.median for figure in figures if figure.what == what}


def test_three_stations_deliver_all_in_order_also_when_the_broker_is_killed(tmp_path: Path):
    need_mosquitto()
    figures = measure_rig(PLAN, tmp_path)
    parts = ["10/s each, on disk", "10/s each, on disk: bare paho"]
    killed = "killed, away 0.5 s"
    # 10 a second for 1 s; and from 2 s before the kill until the broker is back
    assert values(figures, "event messages") == dict.fromkeys(parts, 30) | {killed: 75}
    assert values(figures, "lost") == dict.fromkeys([*parts, killed], 0)
    assert values(figures, "out of order") == dict.fromkeys([*parts, killed], 0)
    assert values(figures, "all stations are back after")[killed] > 0
    assert 1 <= values(figures, "most connections")[killed] <= 3
    assert all(value > 0 for value in values(figures, "latency p99").values())
    assert all(value > 0 for value in values(figures, "broker").values())
    # an event and a state for each, some 350 and 80 bytes with their acknowledgements
    kilobytes = [figure.median for figure in figures if figure.unit == "kB"]
    assert all(5 < rate < 30 for rate in kilobytes)


def test_what_passes_a_proxy_is_what_a_station_costs(tmp_path: Path):
    need_mosquitto()
    with shipped_broker(tmp_path, keeps=False) as broker:
        cost = measure_wire(broker, tmp_path)
    # a level is one packet of QoS 0: its header of two bytes and more, the topic, no properties, JSON
    payload = '{"dbfs":-43.2,"peak_dbfs":-20.1,"at":"2026-11-21T09:00:00.000Z"}'
    assert cost.level == 2 + 2 + len("earshot/w00000/hall/level") + 1 + len(payload)
    # a state with its acknowledgement, the topic ending in names of several lengths
    assert len("earshot/w00000/hall/state/sound_10") < cost.label < 80
    assert cost.connect > cost.source > len("earshot/w00000/yard/status") + len("offline")
    assert 600 < cost.event < 1200


def test_what_a_broker_keeps_takes_memory_and_disk(tmp_path: Path):
    need_mosquitto()
    keeping = measure_keeping(tmp_path, PLAN.amounts)
    assert 50 < keeping.disk_bytes < 500
    assert keeping.retained_bytes > 100
    assert keeping.saving.keys() == {100}


def test_connections_are_counted_by_second_from_the_log():
    log = """\
1795251643: New connection from 127.0.0.1:40000 on port 1883.
1795251643: New client connected from 127.0.0.1:40000 as s00001-12345678 (p5, c1, k15).
1795251644: New client connected from 127.0.0.1:40001 as s00002-12345678 (p5, c1, k15).
1795251644: New client connected from 127.0.0.1:40002 as receiver (p5, c0, k60).
1795251644: New client connected from 127.0.0.1:40003 as s00003-12345678 (p5, c1, k15).
1795251642: New client connected from 127.0.0.1:40003 as s00004-12345678 (p5, c1, k15).
"""
    counted = connections_by_second(log, "s", since=1795251643.7)
    assert counted == Counter({1795251643: 1, 1795251644: 2})
