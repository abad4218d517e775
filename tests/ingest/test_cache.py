"""The cache folder of the user, and its locks."""

from pathlib import Path

import pytest

from components.ingest.cache import cache_folder, only_one


def test_the_cache_is_the_users_unless_set(monkeypatch, tmp_path):
    monkeypatch.delenv("PNEUMONIA_BENCHMARK_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder(tmp_path / "workspace") == tmp_path / "xdg" / "pneumonia-benchmark"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    assert cache_folder(tmp_path / "workspace") == tmp_path / "me" / ".cache" / "pneumonia-benchmark"


def test_where_the_cache_cannot_be_written_the_runs_own_folder_serves(monkeypatch, tmp_path, capsys):
    (tmp_path / "file").touch()
    monkeypatch.setenv("PNEUMONIA_BENCHMARK_CACHE", str(tmp_path / "file" / "cache"))
    assert cache_folder(tmp_path / "workspace") == tmp_path / "workspace" / "cache"
    assert "downloads are not kept" in capsys.readouterr().out


def test_the_lock_is_free_again_after_an_error(tmp_path):
    with pytest.raises(ValueError, match="x"), only_one(tmp_path / "folder"):
        raise ValueError("x")
    with only_one(tmp_path / "folder"):
        pass


def test_a_user_without_a_home_has_the_runs_own_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("PNEUMONIA_BENCHMARK_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def homeless(_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", homeless)
    monkeypatch.chdir(tmp_path)
    assert cache_folder(tmp_path / "workspace") == tmp_path / "workspace" / "cache"
    assert list(tmp_path.iterdir()) == []
