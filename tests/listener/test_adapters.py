"""How the pipeline runs each kind of source; tests/listener/engines/test_selection.py opens engines."""

from __future__ import annotations

from pathlib import Path

from listener.adapters import plan_source
from listener.config.sources import FileSettings, MicrophoneSettings, StreamSettings


def test_a_microphone_is_retried_within_seconds_however_long_it_was_away():
    microphone = plan_source(MicrophoneSettings(name="a", kind="microphone"))
    stream = plan_source(StreamSettings(name="b", kind="stream", url="http://127.0.0.1/"))
    assert (microphone.restarts, stream.restarts) == (True, True)
    # with half a second to open it and 0.975 s until its first patch, it is back within 5 s
    assert microphone.backoff_limit_seconds <= 3.0
    assert stream.backoff_limit_seconds > 30.0


def test_a_lost_file_is_not_retried():
    assert not plan_source(FileSettings(name="a", kind="file", path=Path("a.wav"))).restarts
