import pytest

from listener.sources.address import redact


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("rtsp://me:secret@cam.local:554/live", "rtsp://cam.local:554/live"),
        ("http://me:p%40ss@word@host/a", "http://host/a"),
        ("https://host/a?token=secret&x=1#frag", "https://host/a?token=...&x=..."),
        ("https://host/a;b?secret", "https://host/a;b?..."),
        ("https://host/a?token=c2VjcmV0==&x=1", "https://host/a?token=...&x=..."),
        ("rtsp://me:sec/ret@host/a", "rtsp:..."),
        ("rtsp://me:secret@[::1]:554/a", "rtsp://[::1]:554/a"),
        ("http://me:secret@[bad/a", "http:..."),
        ("/var/sounds/a b.m4a", "/var/sounds/a b.m4a"),
        ("sounds/a.m4a", "sounds/a.m4a"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url, shown):
    assert redact(url) == shown
