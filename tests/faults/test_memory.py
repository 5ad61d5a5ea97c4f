"""Memory over months: "RSS, file descriptors and threads flat after warm-up".

`make soak` takes 100 000 patches; here are as many as the suite has time for.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.soak.soak import Crowd, soak
from benchmarks.soak.vitals import growth, read_vitals
from listener.starter import starter_bundle_path
from tests.rigs.mosquitto import need_mosquitto

_PATCHES = 12_000
# The promise's 2 % is `make soak`'s. In half a minute, at hundreds of times the speed of time, the clips
# that just wait to be written are a few percent; a kilobyte a patch would be eleven.
_RSS_GROWTH = 0.1

# keeps 100 KB and a descriptor of each line that it reads
_LEAK = """
import sys
kept = []
for line in sys.stdin:
    kept.append((bytearray(100_000), open("/dev/null")))
    print(len(kept), flush=True)
"""


def test_a_station_does_not_grow(tmp_path: Path):
    need_mosquitto()
    grown = growth(soak(starter_bundle_path(), _PATCHES, tmp_path, Crowd(4, realtime=False)))
    assert grown.rss < _RSS_GROWTH
    assert grown.descriptors <= 0
    assert grown.threads <= 0


def test_what_leaks_is_seen():
    """The control: the same judgement of a process that keeps all that it gets."""
    course = []
    with subprocess.Popen(
        [sys.executable, "-c", _LEAK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for patches in range(100):
            process.stdin.write("\n")
            process.stdin.flush()
            process.stdout.readline()
            course.append(read_vitals(process.pid, patches))
    grown = growth(course)
    assert grown.rss > _RSS_GROWTH
    assert grown.descriptors > 0
