"""The best model in MLflow's registry: which one, as what, and who is champion."""

import shutil
from pathlib import Path

import pytest

from components.artifacts import comparison
from components.console import UserError
from components.record import registry
from components.record.__main__ import main
from components.record.content import Benchmark, Origin
from components.tracking.history import History
from tests.record.conftest import write_run

pytestmark = pytest.mark.medium

NAME = "pneumonia"


def test_the_median_seed_on_validation_is_chosen_the_lower_of_two():
    def models(**areas):
        return [{"seed": int(seed[1:]), "metrics": {"validation": {"roc_auc": area}}} for seed, area in areas.items()]

    assert registry.median(models(s1=0.97, s2=0.91, s3=0.95))["seed"] == 3
    assert registry.median(models(s1=0.97, s2=0.91))["seed"] == 2
    assert registry.median(models(s1=0.9, s2=0.9))["seed"] == 2
    assert registry.median(models(s1=None, s2=0.9, s3=0.8))["seed"] == 3
    assert registry.median(models(s7=0.5))["seed"] == 7


def test_the_first_model_is_challenger_and_champion(recorded, made, tmp_path):
    recorded.record(made, register=NAME)
    regime = comparison.load(made / "comparison")["recommendation"]["best"]
    for alias in ("challenger", "champion"):
        version = recorded.client.get_model_version_by_alias(NAME, alias)
        assert (version.version, version.tags["pneumonia_benchmark.seed"]) in ((1, "3"), ("1", "3"))
        assert version.tags["pneumonia_benchmark.regime"] == regime
    assert version.run_id == recorded.everything()[f"20260131-120000: {regime} 3"].info.run_id
    import mlflow  # noqa: PLC0415

    mlflow.set_tracking_uri(recorded.uri)
    try:
        folder = Path(mlflow.artifacts.download_artifacts("models:/pneumonia@champion", dst_path=str(tmp_path)))
    finally:
        mlflow.set_tracking_uri(None)
    assert (folder / "model.keras").read_bytes() == f"{regime} 3".encode()


def test_only_the_registered_model_is_stored(recorded, made, tmp_path):
    recorded.record(made)
    assert list(tmp_path.rglob("*.keras")) == []
    recorded.record(made, register=NAME)
    assert len(list(tmp_path.rglob("*.keras"))) == 1


def test_a_later_model_is_challenger_until_it_is_promoted(recorded, made, later):
    recorded.record(made, register=NAME)
    recorded.record(later, register=NAME)
    history = recorded.history
    newer, older = history.runs()
    aliases = recorded.client.get_registered_model(NAME).aliases
    assert {name: str(version) for name, version in aliases.items()} == {"champion": "1", "challenger": "2"}
    assert newer.registered == {"name": NAME, "version": "2"}
    assert history.champion(newer.fingerprint).id == older.id
    history.promote(newer)
    aliases = recorded.client.get_registered_model(NAME).aliases
    assert {name: str(version) for name, version in aliases.items()} == {"champion": "2", "challenger": "2"}
    assert recorded.history.champion(newer.fingerprint).id == newer.id


def aliases(recorded):
    found = recorded.client.get_registered_model(NAME).aliases
    return {alias: int(version) for alias, version in found.items()}


def test_a_continued_run_takes_the_aliases_of_what_was_recorded_of_it_earlier(recorded, tmp_path):
    origin = Origin("the same run")
    first = write_run(tmp_path / "a", seeds=(1,), failed=["full_fine_tuning"], origin=origin)
    recorded.record(first, register=NAME)
    assert aliases(recorded) == {"challenger": 1}, "the champion has all regimes"
    recorded.client.set_registered_model_alias(NAME, "champion", "1")
    recorded.record(write_run(tmp_path / "b", seeds=(1,), origin=origin), register=NAME)
    assert aliases(recorded) == {"challenger": 2, "champion": 2}
    assert recorded.history.runs()[0].registered == {"name": NAME, "version": "2"}


def test_a_continued_run_keeps_its_alias_where_another_run_is_champion_of_the_dataset(recorded, made, tmp_path):
    recorded.record(made)
    origin = Origin("the same run")
    for name, seeds in (("a", (1,)), ("b", (1, 2))):
        recorded.record(write_run(tmp_path / name, "20260214-120000", seeds=seeds, origin=origin), register=NAME)
    assert [run.name for run in recorded.history.runs() if run.promoted] == ["20260131-120000"]
    assert aliases(recorded) == {"challenger": 2, "champion": 2}


def test_a_run_that_is_recorded_anew_keeps_when_it_was_promoted_and_accepted(recorded, made, tmp_path):
    """Also where another run is champion by now."""
    origin = Origin("the same run")
    first = recorded.record(write_run(tmp_path / "a", "20260214-120000", seeds=(1,), origin=origin))
    recorded.history.promote(recorded.history.find(first), by_hand=True)
    recorded.history.promote(recorded.history.find(recorded.record(made)), by_hand=True)
    marks = ("pneumonia_benchmark.promoted", "pneumonia_benchmark.accepted")

    def of_run():
        run = recorded.history.find("20260214-120000")
        return run.id, [run.tags[mark] for mark in marks]

    before = of_run()
    assert before[0] == first
    again = recorded.record(write_run(tmp_path / "b", "20260214-120000", seeds=(1, 2), origin=origin))
    assert of_run() == (again, before[1])
    assert again != first
    champion = recorded.history.champion(recorded.history.find(again).fingerprint)
    assert champion.name == "20260131-120000"


def test_a_run_with_a_failed_training_that_was_promoted_becomes_champion(recorded, tmp_path):
    run = write_run(tmp_path / "run", seeds=(1,), failed=["full_fine_tuning"])
    recorded.history.promote(recorded.history.find(recorded.record(run)))
    recorded.record(run, register=NAME)
    assert aliases(recorded) == {"challenger": 1, "champion": 1}


def test_the_champion_of_its_dataset_becomes_that_of_the_registry_when_it_is_registered(recorded, made, later):
    recorded.record(made, register=NAME)
    recorded.history.promote(recorded.history.find(recorded.record(later)))
    assert aliases(recorded) == {"challenger": 1, "champion": 1}, "it is not registered yet"
    recorded.record(later, register=NAME)
    assert aliases(recorded) == {"challenger": 2, "champion": 2}


def test_the_first_run_on_other_data_takes_no_alias_from_the_champion(recorded, made, tmp_path):
    recorded.record(made, register=NAME)
    other = write_run(tmp_path / "other", "20260214-120000", seeds=(1,), fingerprint="cd34" * 16)
    recorded.record(other, register=NAME)
    assert all(run.promoted for run in recorded.history.runs()), "each is the champion of its dataset"
    assert aliases(recorded) == {"challenger": 2, "champion": 1}


@pytest.mark.parametrize("how", ["without a run", "of a run that is gone"])
def test_a_champion_that_others_registered_stays(recorded, later, how):
    recorded.client.create_registered_model(NAME)
    run = None if how == "without a run" else "0" * 32
    recorded.client.create_model_version(NAME, "file:///elsewhere", run)
    recorded.client.set_registered_model_alias(NAME, "champion", "1")
    recorded.record(later, register=NAME)
    assert aliases(recorded) == {"challenger": 2, "champion": 1}


def test_a_registry_that_refuses_leaves_the_run_recorded(recorded, made, monkeypatch):
    real = registry.Server.ask

    def refuse(self, method, *arguments, **named):
        if method == "create_model_version":
            raise UserError("no registry")
        return real(self, method, *arguments, **named)

    monkeypatch.setattr(registry.Server, "ask", refuse)
    with pytest.raises(UserError, match=r"^recorded, but not registered: no registry$"):
        recorded.record(made, register=NAME)
    assert [run.registered for run in recorded.history.runs()] == [{}]


def test_a_name_that_cannot_be_searched_for_is_refused_before_anything_is_recorded(recorded, made, capsys):
    with pytest.raises(SystemExit, match="2"):
        main([str(made), "--tracking-uri", recorded.uri, "--register", "d'accord"])
    assert "is not understood: give a name without / : ' and blanks" in capsys.readouterr().err
    assert recorded.history.runs() == []


def test_a_run_that_was_deleted_meanwhile_is_named(recorded, made, monkeypatch):
    monkeypatch.setattr(History, "runs", lambda _: [])
    with pytest.raises(UserError, match=r"not registered: .* has no run .* any more: .*; record it again"):
        recorded.record(made, register=NAME)


def test_registering_twice_makes_one_version(recorded, made):
    for _ in range(2):
        recorded.record(made, register=NAME)
    assert len(recorded.client.search_model_versions(f"name='{NAME}'")) == 1


def test_a_registration_that_was_interrupted_is_completed(recorded, made, monkeypatch):
    real = registry.Server.ask

    def die(self, method, *arguments, **named):
        if method == "set_registered_model_alias":
            raise KeyboardInterrupt
        return real(self, method, *arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(registry.Server, "ask", die)
        with pytest.raises(KeyboardInterrupt):
            recorded.record(made, register=NAME)
    assert recorded.history.runs()[0].registered == {}
    recorded.record(made, register=NAME)
    assert len(recorded.client.search_model_versions(f"name='{NAME}'")) == 1
    assert recorded.history.runs()[0].registered == {"name": NAME, "version": "1"}


def test_on_a_server_too(on_server, later):
    on_server.record(later, register="on-a-server")
    assert "champion" in on_server.client.get_registered_model("on-a-server").aliases


def test_models_of_another_run_are_refused_before_anything_is_recorded(recorded, made, tmp_path):
    shutil.copytree(made, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "steps")
    with pytest.raises(UserError, match=r"the model to register \(.*, seed 3\) is in none of the folders of models"):
        recorded.record(tmp_path / "copy", register=NAME)
    assert recorded.history.runs() == []


def test_failed_trainings_among_the_models_are_passed_over(tmp_path):
    run = write_run(tmp_path / "run", seeds=(1,), failed=["full_fine_tuning"])
    given = Benchmark.load(run / "comparison")
    folders = [next(run.glob("steps/**/full_fine_tuning-failed")), *run.glob("steps/**/model")]
    assert registry.best(given, folders).training["regime"] == given.results["recommendation"]["best"]
