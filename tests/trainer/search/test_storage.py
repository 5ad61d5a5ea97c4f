"""Addresses of storages, and what is wrong with some."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from tests.rigs.mosquitto import free_port
from trainer.errors import SearchError, StorageError
from trainer.search.storage import open_storage


@pytest.mark.parametrize("form", ["{}/new/a", "journal://{}/new/a", "sqlite:///{}/a"])
def test_what_is_stored_is_there_again(tmp_path: Path, form: str):
    address = form.format(tmp_path)
    with open_storage(address) as storage:
        optuna.create_study(storage=storage, study_name="first")
    with open_storage(address) as storage:
        assert [study.study_name for study in storage.get_all_studies()] == ["first"]
    assert next(tmp_path.rglob("a")).is_file()


@pytest.mark.parametrize(
    ("address", "part"),
    [
        ("mysql://user:secret@host/db", "got mysql://$"),
        ("redis://host", "got redis://$"),
        ("://", "got ://$"),
    ],
)
def test_an_address_of_no_known_form_is_refused(address: str, part: str):
    with pytest.raises(SearchError, match=part), open_storage(address):
        pass


def test_a_database_that_is_not_there_is_named_without_its_password():
    url = f"postgresql://user:secret@127.0.0.1:{free_port()}/db"
    with pytest.raises(StorageError, match="cannot be opened") as raised, open_storage(url):
        pass
    assert "127.0.0.1" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("milk\neggs\n")
    with (
        pytest.raises(StorageError, match="expected a journal of Optuna's"),
        open_storage(str(tmp_path / "notes.txt")),
    ):
        pass


def test_a_folder_is_no_journal(tmp_path: Path):
    with pytest.raises(StorageError, match="Is a directory"), open_storage(str(tmp_path)):
        pass
