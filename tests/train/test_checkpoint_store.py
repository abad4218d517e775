"""Checkpoints in an object store: what one machine has saved another one continues, and only one does at a time."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile

import numpy as np
import pytest
from google.cloud.storage.retry import DEFAULT_RETRY

from components import retries
from components.artifacts import files, trained_model
from components.artifacts.trained_model import load_all
from components.console import UserError
from components.object_stores.store import open_bucket
from components.parameters import TrainParameters
from components.train import checkpoint, lease, mirror, session
from components.train import train as train_module
from components.train.checkpoint_folder import opened
from components.train.fitting import Phase
from components.train.mirror import NAMES
from tests.train import kills
from tests.train.conftest import most_at_once
from tests.train.test_train import SETTINGS, scores


@pytest.fixture
def said():
    return []


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    """Times of tests, not of networks."""
    monkeypatch.setattr(retries, "FIRST_WAIT", 0.0)
    monkeypatch.setattr(lease, "POLL", 0.02)


@pytest.fixture
def kept(store):
    """A store with an empty bucket."""
    store.put(store.bucket, {})
    return store


def url(store):
    return f"{store.place}/some/where"


def names(store):
    return {name.removeprefix("some/where/key/") for name in store.objects(store.bucket)}


def save(store, said, name="state", **content):
    """Leaves a checkpoint in the store, as a process that was terminated."""
    with pytest.raises(SystemExit), opened(url(store), "key", said.append) as place:
        place.checkpoint(1, said.append).save(name, content)
        raise SystemExit


def finish(place, said, tmp_path, seed=1):
    """Adds a finished model."""
    (tmp_path / "made").mkdir(exist_ok=True)
    with zipfile.ZipFile(tmp_path / "made" / "model.keras", "w") as archive:
        archive.writestr("weights", "w" * 1000)
    record = files.header(trained_model.KIND, files.now(), {}) | {"regime": "custom_cnn", "seed": seed}
    place.checkpoint(seed, said.append).finish(tmp_path / "made", record)
    return record


def test_what_one_machine_saved_another_one_has_and_at_the_end_nothing_is_left(kept, said, tmp_path):
    save(kept, said, epoch=1, weights=[np.arange(5)])
    assert names(kept) == {"seed-1/state.npz"}
    with opened(url(kept), "key", said.append) as place:
        found = place.checkpoint(1, said.append).load("state")
        assert (found["epoch"], found["weights"][0].tolist()) == (1, [0, 1, 2, 3, 4])
        record = finish(place, said, tmp_path)
        assert names(kept) == {"lock", "seed-1-finished/model.keras", "seed-1-finished/training.json"}
        assert place.checkpoint(1, said.append).finished("custom_cnn", 1, tmp_path / "taken") == record
    assert names(kept) == set()
    assert said == ["taken from the checkpoints of an interrupted process"]


def test_only_what_has_changed_is_uploaded(kept, said):
    with opened(url(kept), "key", said.append) as place:
        own = place.checkpoint(1, said.append)
        own.save("features", {"a": 1})
        kept.asked.clear()
        own.save("state", {"a": 1})
        own.save("state", {"a": 2})
        asked = [name for what, name, *_ in kept.asked if what in ("write", "PUT") and "lock" not in name]
        assert len(asked) == 2
        assert all(name.endswith("seed-1/state.npz") for name in asked)
        own.remove()
        assert names(kept) == {"lock"}


def test_other_prefixes_and_keys_are_not_touched(kept, said):
    others = {"some/where/key2/seed-1/state.npz": b"1", "some/where/ke": b"2", "some/wherekey/x": b"3"}
    kept.put(kept.bucket, others)
    with opened(url(kept) + "/", "key", said.append) as place:
        place.checkpoint(1, said.append).save("state", {})
    assert kept.objects(kept.bucket) == others


def test_the_whole_bucket_can_be_the_place(kept, said):
    with pytest.raises(SystemExit), opened(kept.place, "key", said.append) as place:
        place.checkpoint(1, said.append).save("state", {})
        raise SystemExit
    assert set(kept.objects(kept.bucket)) == {"key/seed-1/state.npz"}


def test_two_processes_never_use_the_same_checkpoints(kept, said):
    with opened(url(kept), "key", said.append) as first:
        with opened(url(kept), "key", said.append, wait=0.1) as second:
            assert second.folder is None
            second.checkpoint(1, said.append).save("state", {})
        assert "waiting up to 0 s for another process" in said[0]
        assert "another process is using the checkpoints in " + url(kept) in said[1]
        assert names(kept) == {"lock"}
        first.checkpoint(1, said.append).save("state", {})
        with opened(url(kept), "other", said.append, wait=0.0) as other:
            assert other.folder is not None


@pytest.mark.medium
def test_of_many_that_begin_at_once_each_has_the_place_alone(kept):
    assert most_at_once(lambda: opened(url(kept), "key", lambda _: None, wait=60), 3) == [1, 1, 1]


@pytest.mark.parametrize("left", [b"renewed by the first", b"", None], ids=["renewed", "empty", "ended"])
def test_who_comes_second_waits_although_the_first_writes_at_that_moment(kept, said, left):
    kept.put(kept.bucket, {})
    bucket = open_bucket(kept.scheme, kept.bucket, writing=True)
    find, finds = bucket.find, iter(range(9))

    def find_meanwhile(name):
        number = next(finds, None)
        if number == 0:  # the first process comes between this look and the attempt to write
            kept.put(kept.bucket, {name: b"of the first"})
            return None
        found = find(name)
        if number == 1:  # and goes on before its lease is read
            bucket.delete(name) if left is None else kept.put(kept.bucket, {name: left})
        return found

    bucket.find = find_meanwhile
    own = lease.Lease(bucket, "some/where/key/lock")
    assert own.acquire(said.append, wait=0.1) == (left is None)
    own.release()


@pytest.mark.medium
def test_the_lease_of_a_dead_process_is_taken_over(kept, said, monkeypatch):
    monkeypatch.setattr(lease, "EXPIRES", 0.5)
    save(kept, said, epoch=1)
    kept.put(kept.bucket, {"some/where/key/lock": b"of a process that was killed"})
    begun = time.monotonic()
    with opened(url(kept), "key", said.append, wait=20) as place:
        assert time.monotonic() - begun >= 0.5
        assert place.checkpoint(1, said.append).load("state") == {"epoch": 1}
    assert said[-1] == "the process that was using the checkpoints has ended"


@pytest.mark.medium
def test_a_lease_that_is_renewed_is_not_taken_over(kept, said, monkeypatch):
    monkeypatch.setattr(lease, "EXPIRES", 0.6)
    monkeypatch.setattr(lease, "RENEW", 0.1)
    with opened(url(kept), "key", said.append) as first:
        with opened(url(kept), "key", said.append, wait=2) as second:
            assert second.folder is None
        first.checkpoint(1, said.append).save("state", {})
        assert "seed-1/state.npz" in names(kept)


def test_who_has_lost_the_lease_uploads_and_deletes_nothing_more(kept, said, monkeypatch):
    monkeypatch.setattr(lease, "RENEW", 0.05)
    with opened(url(kept), "key", said.append) as place:
        own = place.checkpoint(1, said.append)
        own.save("state", {"epoch": 1})
        kept.put(kept.bucket, {"some/where/key/lock": b"another"})
        before = kept.objects(kept.bucket)
        time.sleep(0.3)
        own.save("state", {"epoch": 2})
        assert "another process has taken them over" in said[-1]
        own.save("state", {"epoch": 3})
        assert len(said) == 1
        assert not own.due(epoch_complete=True)
    assert kept.objects(kept.bucket) == before


def test_a_lease_that_was_not_renewed_for_long_is_looked_at_before_anything_is_uploaded(kept, said, monkeypatch):
    """The process, or its whole machine, may have been stopped meanwhile."""
    with opened(url(kept), "key", said.append) as place:
        kept.put(kept.bucket, {"some/where/key/lock": b"another"})
        monkeypatch.setattr(lease, "RENEW", 0.0)
        place.checkpoint(1, said.append).save("state", {})
        assert names(kept) == {"lock"}


def test_a_renewal_whose_answer_was_lost_loses_no_lease(kept, said):
    with opened(url(kept), "key", said.append) as place:
        own = place.mirror._lease
        put, lost = own._store.put, [True]

        def put_again(*given):
            if lost:
                lost.clear()
                put(*given)  # the library repeats the request, which finds the version of the first one
            return put(*given)

        own._store.put = put_again
        own._renew()
        assert own.held()
        del own._store.put
        place.checkpoint(1, said.append).save("state", {})
        assert "seed-1/state.npz" in names(kept)


@pytest.mark.medium
def test_a_renewal_that_is_on_its_way_at_the_end_leaves_no_lease(kept, said):
    """Some stores write an object although there is none whose version could match."""
    with opened(url(kept), "key", said.append) as place:
        own = place.mirror._lease
        put, begun = own._store.put, threading.Event()

        def slow(name, content, _):
            begun.set()
            time.sleep(0.5)
            found = own._store.find(name)
            return put(name, content, found.version if found else None)

        own._store.put = slow
        renewal = threading.Thread(target=own._renew)
        renewal.start()
        begun.wait()
    renewal.join()
    assert names(kept) == set()


def test_a_lease_that_is_lost_at_once_is_not_taken_for_a_store_without_conditions(s3_store, said, monkeypatch):
    s3_store.put(s3_store.bucket, {})
    works = lease.Lease._works

    def taken(self, say):
        s3_store.put(s3_store.bucket, {"some/where/key/lock": b"another"})
        return works(self, say)

    monkeypatch.setattr(lease.Lease, "_works", taken)
    with opened(url(s3_store), "key", said.append) as place:
        place.checkpoint(1, said.append).save("state", {})
        assert "another process has taken them over" in said[-1]
    assert names(s3_store) == {"lock"}


@pytest.mark.parametrize("conditions", [True, False])
@pytest.mark.parametrize("first", range(5))
def test_a_store_that_is_busy_while_it_is_tried_has_checkpoints(s3_store, said, monkeypatch, first, conditions):
    monkeypatch.setattr("time.sleep", lambda _: None)
    s3_store.put(s3_store.bucket, {})
    s3_store.conditions = conditions
    changes = iter(range(99))
    library = 3  # attempts that boto3 makes itself
    s3_store.fail = lambda *_: 503 if first <= next(changes) < first + library else None
    with opened(url(s3_store), "key", said.append) as place:
        assert place.folder is not None
        assert (not conditions) == ("nothing keeps another process from the same checkpoints" in " ".join(said))


@pytest.mark.medium
@pytest.mark.parametrize("status", [None, 501])
def test_a_store_without_conditions_has_checkpoints_without_a_lease(s3_store, said, status):
    """None ignores the condition, as older stores do."""
    s3_store.put(s3_store.bucket, {})
    s3_store.conditions = False
    s3_store.fail = lambda what, name: status if what == "write" and name.endswith("lock") else None
    with pytest.raises(SystemExit), opened(url(s3_store), "key", said.append) as place:
        assert "nothing keeps another process from the same checkpoints" in said[0]
        place.checkpoint(1, said.append).save("state", {"epoch": 1})
        assert names(s3_store) == {"seed-1/state.npz"}
        raise SystemExit
    with opened(url(s3_store), "key", said.append) as place:
        assert place.checkpoint(1, said.append).load("state") == {"epoch": 1}
    assert names(s3_store) == set()


def states(what, name):
    return what == "write" and name.endswith("state.npz")


def test_a_store_that_is_away_for_a_while_has_the_next_checkpoint(kept, said, monkeypatch):
    monkeypatch.setattr("components.object_stores.gcs._RETRY", DEFAULT_RETRY.with_timeout(0.01))
    with opened(url(kept), "key", said.append) as place:
        own = place.checkpoint(1, said.append)
        own.save("state", {"epoch": 1})
        kept.fail = lambda *given: 503 if states(*given) else None
        own.save("state", {"epoch": 2})
        own.save("state", {"epoch": 3})
        assert len(said) == 1
        assert "this checkpoint was not uploaded, but the next one may be" in said[0]
        kept.fail = lambda *_: None
        own.save("features", {"a": 1})
        assert {"seed-1/features.npz", "seed-1/state.npz"} < names(kept)
        with zipfile.ZipFile(place.folder / "seed-1" / "state.npz") as archive:
            assert b'"epoch": 3' in archive.read("json.npy")
        local = (place.folder / "seed-1" / "state.npz").read_bytes()
        assert kept.objects(kept.bucket)["some/where/key/seed-1/state.npz"] == local


def test_a_store_that_refuses_later_ends_the_checkpoints_but_not_the_training(kept, said):
    with opened(url(kept), "key", said.append) as place:
        own = place.checkpoint(1, said.append)
        own.save("state", {"epoch": 1})
        kept.fail = lambda *given: 403 if states(*given) else None
        own.save("state", {"epoch": 2})
        assert "the training goes on without further checkpoints in " + url(kept) in said[-1]
        kept.fail = lambda *_: None
        own.save("state", {"epoch": 3})
        assert not own.due(epoch_complete=True)
        assert len(said) == 1
    assert "seed-1/state.npz" in names(kept), "what is there may still be of use"


def test_a_store_that_cannot_be_cleared_costs_no_training(kept, said):
    with opened(url(kept), "key", said.append) as place:
        place.checkpoint(1, said.append).save("state", {})
        kept.fail = lambda what, _: 403 if what == "delete" else None
    assert "are no longer needed, but cannot be deleted" in said[-1]


def test_nobody_who_listens_is_no_reason_to_stop(kept):
    def broken_pipe(_):
        raise BrokenPipeError

    with opened(url(kept), "key", broken_pipe) as place:
        kept.fail = lambda *given: 403 if states(*given) else None
        place.checkpoint(1, broken_pipe).save("state", {})
        assert place.mirror.lost


def test_a_refusal_at_the_start_is_an_error_before_anything_is_trained(kept, said):
    kept.fail = lambda *_: 403
    remedy = "GOOGLE_APPLICATION_CREDENTIALS" if kept.scheme == "gs" else "read, list, write and delete in the bucket"
    with pytest.raises(UserError, match=remedy), opened(url(kept), "key", said.append):
        pass


def test_a_bucket_that_is_not_there_is_an_error_before_anything_is_trained(store, said):
    with (
        pytest.raises(UserError, match=r"not-there-at-all.*404.*check the name"),
        opened(f"{store.scheme}://not-there-at-all/x", "key", said.append),
    ):
        pass


def test_a_url_of_something_else_is_an_error(said):
    with pytest.raises(UserError, match="write gs://bucket/prefix or s3://bucket/prefix"):
        opened("https://bucket/x", "key", said.append).__enter__()


@pytest.mark.parametrize("scheme", ["gs", "s3"])
def test_a_store_that_is_away_at_the_start_costs_the_checkpoints_but_no_training(said, monkeypatch, scheme):
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("components.object_stores.gcs._RETRY", DEFAULT_RETRY.with_timeout(0.01))
    monkeypatch.setattr("time.sleep", lambda _: None)
    with opened(f"{scheme}://bucket/x", "key", said.append) as place:
        assert place.folder is None
        place.checkpoint(1, said.append).save("state", {})
    assert f"attempt {lease.ATTEMPTS} of {lease.ATTEMPTS}" in said[-2]
    assert f"the training keeps no checkpoints in {scheme}://bucket/x/key/: " in said[-1]


def test_a_damaged_object_is_said_and_deleted_with_the_next_change(kept, said):
    save(kept, said, epoch=1)
    kept.put(kept.bucket, {"some/where/key/seed-1/state.npz": b"damaged"})
    with pytest.raises(SystemExit), opened(url(kept), "key", said.append) as place:
        own = place.checkpoint(1, said.append)
        assert own.load("state") is None
        assert "damaged" in said[0]
        own.save("features", {})
        assert names(kept) == {"lock", "seed-1/features.npz"}
        raise SystemExit


def test_a_finished_model_without_its_record_is_not_taken(kept, said, tmp_path):
    """The process was killed while it uploaded the model."""
    kept.put(kept.bucket, {"some/where/key/seed-1-finished/model.keras": b"half"})
    save_before = {"some/where/key/seed-2-finished/training.json": b"{}"}
    kept.put(kept.bucket, save_before)
    with opened(url(kept), "key", said.append) as place:
        own = place.checkpoint(1, said.append)
        assert own.finished("custom_cnn", 1, tmp_path / "taken") is None
        assert not said
        own.save("state", {})
        assert "seed-1-finished/model.keras" not in names(kept)


HOSTILE = (
    *("../../evil.npz", "seed-1/../../evil.npz", "seed-1/.state.npz", "seed-1/state.npz/x", "seed-1/a/state.npz"),
    *(
        "seed-x/state.npz",
        "seed-1/state.npy",
        "seed-1-finished/evil.py",
        "seed-1-candidate-x/state.npz",
        "seed-1-candidate-1/evil.csv",
        "seed-1-candidate-1-finished/evil.csv",
        "seed-\u0661/state.npz",
        "seed-1/st\u00e4te.npz",
    ),
)


def test_a_candidate_of_a_search_has_a_place_of_its_own(kept, said):
    with pytest.raises(KeyboardInterrupt), opened(url(kept), "key", said.append) as place:
        place.checkpoint(1, said.append).save("state", {"of": "the seed"})
        place.checkpoint(1, said.append, 2).save("lost", {"lost_after": 3.0})
        raise KeyboardInterrupt
    assert names(kept) - {"lock"} == {"seed-1/state.npz", "seed-1-candidate-2/lost.npz"}
    with opened(url(kept), "key", said.append) as place:
        assert place.checkpoint(1, said.append, 2).load("lost") == {"lost_after": 3.0}
        assert place.checkpoint(1, said.append, 1).load("lost") is None
        place.checkpoint(1, said.append, 2).forget()
        assert names(kept) - {"lock"} == {"seed-1/state.npz"}
    assert NAMES.fullmatch("seed-1-candidate-12-finished/tuning.csv")


@pytest.mark.parametrize("name", [*HOSTILE, "/seed-1/state.npz", "seed-1/state.npz\n", "C:\\evil.npz", "lock"])
def test_other_names_than_those_of_checkpoints_are_none(name):
    assert not NAMES.fullmatch(name)


def test_hostile_names_lead_nowhere(s3_store, said, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    s3_store.put(s3_store.bucket, {f"some/where/key/{name}": b"evil" for name in HOSTILE})
    with opened(url(s3_store), "key", said.append) as place:
        place.checkpoint(1, said.append).save("state", {})
        assert [path.name for path in tmp_path.rglob("*")] == [place.folder.name, "seed-1", "state.npz"]
    assert not list(tmp_path.iterdir())


def test_more_than_the_disk_has_room_for_is_not_downloaded(kept, said, monkeypatch):
    save(kept, said, epoch=1)
    monkeypatch.setattr(mirror.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 100}))
    with opened(url(kept), "key", said.append) as place:
        assert place.folder is None
    assert "keeps no checkpoints" in said[0]
    assert "No space left on device" in said[0]
    assert names(kept) == {"seed-1/state.npz"}, "another machine may have room"


@pytest.mark.medium
def test_an_upload_counts_as_time_for_checkpoints(kept, said, monkeypatch):
    push = mirror.Mirror.push
    monkeypatch.setattr(mirror.Mirror, "push", lambda self: (time.sleep(0.5), push(self)))
    with opened(url(kept), "key", said.append) as place:
        own = place.checkpoint(1, said.append)
        own.save("state", {})
        assert own.seconds >= 0.5
        assert not own.due(epoch_complete=True), "the next one comes after 50 times as long"


def test_features_are_stored_only_if_they_were_computed_more_slowly_than_a_store_takes_them(kept, said):
    size = int(checkpoint.SHARE * mirror.RATE * 10)
    with opened(url(kept), "key", said.append) as place:
        own = place.checkpoint(1, said.append)
        assert own.worth_storing(size, 10)
        assert not own.worth_storing(size + 1, 10)


@pytest.mark.slow
def test_sigterm_uploads_and_another_machine_ends_with_the_same_predictions(
    prepared, tmp_path, kept, monkeypatch, capsys
):
    left = iter(range(3))

    class Terminated(Phase):
        def run(self, report, pause):
            def pause_after_signal(complete):
                if next(left, None) is None:
                    os.kill(os.getpid(), signal.SIGTERM)
                pause(complete)

            return super().run(report, pause_after_signal)

    arguments = (prepared, tmp_path / "model", "custom_cnn", TrainParameters(seeds=1, **SETTINGS), url(kept))
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.Checkpoint, "due", lambda *_, **__: False)
        patch.setattr(session, "Phase", Terminated)
        with pytest.raises(SystemExit):
            train_module.train(*arguments)
    (state,) = kept.objects(kept.bucket)
    assert state.startswith("some/where/custom_cnn-")
    assert state.endswith("/seed-1/state.npz")
    train_module.train(*arguments)
    assert "continues after epoch 0 and 4 steps" in capsys.readouterr().out
    assert kept.objects(kept.bucket) == {}
    (record,) = (model.training for model in load_all(tmp_path / "model"))
    assert record["resumed"] == 1
    train_module.train(prepared, tmp_path / "whole", *arguments[2:4])
    whole, found = (scores(tmp_path / name, prepared)[0] for name in ("whole", "model"))
    assert found.tobytes() == whole.tobytes()


KILLED = """
from components.train import checkpoint, lease
lease.EXPIRES, lease.POLL, checkpoint.SHARE = 3.0, 0.2, 1e9
from components.train.__main__ import main
main()
"""


@pytest.mark.slow
def test_a_training_killed_on_one_machine_ends_on_another_with_the_same_predictions(prepared, tmp_path, kept):
    options = ["--seeds", "2", "--epochs", "12", "--batch-size", "8", "--patience", "0"]
    words = [sys.executable, "-c", KILLED, str(prepared), "custom_cnn", *options]
    subprocess.run([*words, "--output", str(tmp_path / "whole")], check=True)
    words += ["--output", str(tmp_path / "model"), "--checkpoints", url(kept)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        next(line for line in process.stdout if "seed 2: training: epoch 3/" in line)
        process.kill()
    left = {name.removeprefix("some/where/").partition("/")[2] for name in names(kept)}
    assert left == {"lock", "seed-1-finished/model.keras", "seed-1-finished/training.json", "seed-2/state.npz"}
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "the process that was using the checkpoints has ended" in done.stdout
    assert "seed 1: taken from the checkpoints" in done.stdout
    assert "seed 2: training: continues after epoch" in done.stdout
    assert kept.objects(kept.bucket) == {}
    whole, found = (kills.result(prepared, tmp_path / name) for name in ("whole", "model"))
    assert found.predictions.tobytes() == whole.predictions.tobytes()
    assert json.dumps(found.history) == json.dumps(whole.history)
