"""The cache: never stale, never torn, shared by many processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.shared import ROOT
from trainer.data.cache import EmbeddingCache, Entry, make_key
from trainer.errors import DataError

KEY = make_key({"audio": "a"})
ENTRY = Entry(np.arange(6, dtype=np.float32).reshape(3, 2), seconds=1.5)


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_what_is_stored_is_loaded(tmp_path: Path):
    cache = EmbeddingCache(tmp_path / "cache")
    assert cache.load(KEY) is None
    cache.store(KEY, ENTRY)
    loaded = cache.load(KEY)
    assert loaded is not None
    assert loaded.seconds == 1.5
    np.testing.assert_array_equal(loaded.embeddings, ENTRY.embeddings)
    assert [path.relative_to(cache.path).as_posix() for path in files_in(cache.path)] == [
        f"{KEY[:2]}/{KEY[2:]}.npz"
    ]


def test_a_key_follows_from_all_of_its_ingredients():
    assert make_key({"a": 1, "b": 2}) == make_key({"b": 2, "a": 1})
    assert len({KEY, make_key({"audio": "b"}), make_key({"audio": "a", "hop": 0.48})}) == 3


@pytest.mark.parametrize("keep", [0, 10, 200, -1])
def test_a_torn_entry_is_reported_and_is_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, keep: int
):
    cache = EmbeddingCache(tmp_path)
    cache.store(KEY, ENTRY)
    (path,) = files_in(tmp_path)
    path.write_bytes(path.read_bytes()[:keep])
    assert cache.load(KEY) is None
    assert f"damaged cache entry, made anew: {path}" in caplog.text


def test_a_flipped_bit_is_found(tmp_path: Path):
    cache = EmbeddingCache(tmp_path)
    cache.store(KEY, ENTRY)
    (path,) = files_in(tmp_path)
    content = bytearray(path.read_bytes())
    content[content.index(ENTRY.embeddings.tobytes())] ^= 1
    path.write_bytes(content)
    assert cache.load(KEY) is None


def test_an_entry_of_another_form_is_none(tmp_path: Path):
    cache = EmbeddingCache(tmp_path)
    cache.store(KEY, ENTRY)
    (path,) = files_in(tmp_path)
    np.savez(path, embeddings=np.zeros(3, np.float32), seconds=1.0)
    assert cache.load(KEY) is None
    with pytest.raises(ValueError, match=r"expected float32 \(patches, D\), got float32 \(3,\)"):
        Entry(np.zeros(3, np.float32), 1.0)


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(tmp_path: Path):
    """A limit on the size of a file stands for the disk: the first entry fits, the second does not."""
    program = (
        "import resource\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from trainer.data.cache import EmbeddingCache, Entry\n"
        f"cache = EmbeddingCache(Path({str(tmp_path)!r}))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "cache.store('a' * 64, Entry(np.zeros((10, 8), np.float32), 1.0))\n"
        "cache.store('b' * 64, Entry(np.zeros((1000, 8), np.float32), 1.0))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT
    )
    last = done.stderr.splitlines()[-1]
    assert last.startswith(
        f"trainer.errors.DataError: cache {tmp_path}: cannot be written: File too"
    )
    assert [path.parent.name for path in files_in(tmp_path)] == ["aa"]
    assert EmbeddingCache(tmp_path).load("a" * 64) is not None


def test_a_cache_that_cannot_be_made_is_one_line(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="cannot be written: Not a directory"):
        EmbeddingCache(tmp_path / "file").store(KEY, ENTRY)


def test_processes_fill_one_cache_at_once(tmp_path: Path):
    program = (
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from trainer.data.cache import EmbeddingCache, Entry\n"
        f"cache = EmbeddingCache(Path({str(tmp_path)!r}))\n"
        "for number in range(60):\n"
        "    key = f'{number % 20:064d}'\n"
        "    entry = cache.load(key)\n"
        "    assert entry is None or entry.embeddings[0, 0] == number % 20\n"
        "    cache.store(key, Entry(np.full((20, 64), number % 20, np.float32), 1.0))\n"
    )
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", program], stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
        for _ in range(2)
    ]
    assert [worker.communicate()[1] for worker in workers] == ["", ""]
    assert len(files_in(tmp_path)) == 20
