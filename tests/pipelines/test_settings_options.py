"""Options and settings files become one `Settings`; whatever is not understood is named."""

import argparse

import pytest

from components.console import UserError
from pipelines.settings import Settings, Toleration
from pipelines.settings_options import add_options, read


def settings(*words):
    parser = argparse.ArgumentParser()
    add_options(parser)
    return read(parser.parse_args(list(words)))


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "cluster.yaml"
        path.write_text(text)
        return str(path)

    return write


def test_images_are_named_by_registry_and_tag():
    found = settings("--registry", "ghcr.io/me/", "--tag", "1.2")
    assert found.data_image == "ghcr.io/me/pneumonia-benchmark-data:1.2"
    assert found.train_image == "ghcr.io/me/pneumonia-benchmark-train:1.2"


def test_without_a_tag_each_image_has_its_own_and_without_gpus_the_train_image_is_the_one_for_cpus():
    with_gpu, without = settings(), settings("--gpus", "0")
    assert with_gpu.data_image == without.data_image
    assert "-gpu-" in with_gpu.train_image
    assert "-cpu-" in without.train_image


def test_an_image_may_be_given_by_digest():
    digest = "ghcr.io/me/data@sha256:" + "0a" * 32
    found = settings("--data-image", digest, "--tag", "1")
    assert found.data_image == digest
    assert found.train_image == "pneumonia-benchmark-train:1"


def test_a_file_gives_options_by_name_and_mappings_by_key(file):
    path = file(
        """
        gpus: 2
        accelerator: amd.com/gpu
        cpu: {train: 8, compare: 500m}
        memory: 3G
        pull-secret: [one, two]
        node_selector: ["train:pool=big"]
        toleration: "train:gpu=yes:NoSchedule"
        secret: {KAGGLE_KEY: kaggle/key}
        cache_training: true
        user: 1000
        """
    )
    found = settings("--settings", path)
    assert (found.gpus, found.accelerator, found.user, found.cache_training) == (2, "amd.com/gpu", 1000, True)
    assert {step: pod.cpu for step, pod in found.pods.items()} == {
        "ingest": "2",
        "preprocess": "2",
        "train": "8",
        "evaluate": "2",
        "compare": "500m",
    }
    assert {pod.memory_limit for pod in found.pods.values()} == {"3G"}
    assert found.pull_secrets == ["one", "two"]
    assert found.pods["train"].node_selector == {"pool": "big"}
    assert found.pods["ingest"].node_selector == {}
    assert found.pods["train"].tolerations == [Toleration("gpu", "yes", "NoSchedule")]
    assert found.secrets == {"KAGGLE_KEY": ("kaggle", "key")}


def test_the_command_line_comes_before_the_file_wherever_it_stands(file):
    path = file("gpus: 4\ntag: '1'\ncpu: {train: 8, ingest: 3}\ncache_ingest: true\nvolume: {a: /a, b: /b}")
    before = settings("--gpus", "2", "--cpu", "train=6", "--no-cache-ingest", "--volume", "a=/c", "--settings", path)
    after = settings("--settings", path, "--gpus", "2", "--cpu", "train=6", "--no-cache-ingest", "--volume", "a=/c")
    assert before == after
    assert (before.gpus, before.cache_ingest, before.volumes) == (2, False, {"a": "/c", "b": "/b"})
    assert (before.pods["train"].cpu, before.pods["ingest"].cpu, before.pods["compare"].cpu) == ("6", "3", "1")


def test_label_budgets_are_numbers_or_those_that_are_usual(file):
    assert (settings().label_budgets, settings().draws) == ("", 5)
    assert settings("--label-budgets").label_budgets == "50 100 200 400"
    found = settings("--label-budgets", "30", "60", "--draws", "9")
    assert (found.label_budgets, found.draws) == ("30 60", 9)
    for text in ("[30, 60]", "30 60", '"30 60"'):
        assert settings("--settings", file(f"label_budgets: {text}")).label_budgets == "30 60"
    assert settings("--settings", file("label_budgets: []")).label_budgets == "50 100 200 400"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--label-budgets", "10"],
            "the parameter label_budgets is '10', but must be each a whole number of at least 20",
        ),
        (["--label-budgets", "60", "30"], "ascending"),
        (["--label-budgets", "--draws", "0"], "the parameter draws is 0, but must be a whole number from 1 to 99"),
        (["--draws", "3"], "--draws has no effect without --label-budgets"),
    ],
)
def test_label_budgets_that_make_no_sense_are_refused(words, message):
    with pytest.raises(UserError, match=message):
        settings(*words)


def test_limits_are_the_requests_unless_given():
    pods = settings("--cpu", "train=3", "--cpu-limit", "compare=4").pods
    assert (pods["train"].cpu, pods["train"].cpu_limit) == ("3", "3")
    assert (pods["compare"].cpu, pods["compare"].cpu_limit) == ("1", "4")


def test_a_value_without_a_step_holds_for_all_and_a_later_one_for_its_step():
    pods = settings("--timeout", "600", "train=0").pods
    assert {step: pod.timeout for step, pod in pods.items()} == {
        "ingest": 600,
        "preprocess": 600,
        "train": 0,
        "evaluate": 600,
        "compare": 600,
    }


@pytest.mark.parametrize(
    "words",
    [
        ["--gpus", "one"],
        ["--gpus", "-1"],
        ["--tag", "a b"],
        ["--data-image", "x@sha256:12"],
        ["--accelerator", "nvidia com"],
        ["--cpu", "training=2"],
        ["--cpu", "2 cores"],
        ["--memory", "train=lots"],
        ["--retries", "train=-1"],
        ["--timeout", "1h"],
        ["--node-selector", "pool"],
        ["--toleration", "key=value:Sometimes"],
        ["--volume", "claim=relative/path"],
        ["--volume", "Claim=/data"],
        ["--secret", "KEY=secret"],
        ["--secret", "1KEY=secret/key"],
        ["--env", "A"],
        ["--user", "0"],
        ["--user", "root"],
        ["--pull-policy", "Sometimes"],
        ["--pull-secret", "my secret"],
        ["--shm", "big"],
        ["--checkpoint-claim", "Claim"],
        ["--checkpoint-claim", "claim=/checkpoints"],
        ["--checkpoints", "/checkpoints"],
        ["--checkpoints", "https://bucket/x"],
        ["--checkpoints", "gs://"],
    ],
)
def test_a_value_that_is_not_understood_is_named_with_what_would_be(words):
    with pytest.raises(UserError) as raised:
        settings(*words)
    assert f"{words[0]} {words[1]!r} is not understood: give " in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "gpu: 1",
            "has no option 'gpu': use accelerator, cache_ingest, cache_training, checkpoint_claim, checkpoints,",
        ),
        ("settings: other.yaml", "has no option 'settings'"),
        ("- gpus", "is not a mapping of options: write lines such as 'gpus: 1'"),
        ("gpus: [", "is not valid YAML"),
        ("cache_ingest: maybe", "--cache-ingest is 'maybe' in the settings file: write true or false"),
        ("register:", "has 'register' without a value: write a value, or remove it"),
        ("cache-ingest:\ngpus: 1", "has 'cache_ingest' without a value"),
        ("env: {A: b, C: }", "has 'env' without a value"),
        ("pull_secret: [~]", "has 'pull_secret' without a value"),
        ("cpu: {training: 2}", "--cpu 'training=2' is not understood"),
    ],
)
def test_a_mistake_in_the_file_is_named(file, text, message):
    with pytest.raises(UserError) as raised:
        settings("--settings", file(text))
    assert message in str(raised.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none\.yaml cannot be read .* check --settings"):
        settings("--settings", str(tmp_path / "none.yaml"))


def test_an_empty_file_changes_nothing(file):
    assert settings("--settings", file("")) == settings()


def test_a_run_on_this_machine_has_no_pods():
    assert Settings().pods == {}


def test_a_second_data_set_is_a_folder_of_a_volume():
    assert settings("--external-test", "/data/elsewhere").external_test == "/data/elsewhere"
    assert settings().external_test == ""
    with pytest.raises(UserError, match="--external-test 'elsewhere' is not understood"):
        settings("--external-test", "elsewhere")


def test_a_claim_for_checkpoints_is_given_by_option_or_file(file):
    for found in (settings("--checkpoint-claim", "kept"), settings("--settings", file("checkpoint_claim: kept"))):
        assert (found.checkpoint_claim, found.checkpoints) == ("kept", "/checkpoints")
    assert (settings().checkpoint_claim, settings().checkpoints) == ("", "")


@pytest.mark.parametrize("url", ["gs://bucket", "s3://my.bucket/some/where"])
def test_an_object_store_for_checkpoints_is_given_by_option_or_file(file, url):
    for found in (settings("--checkpoints", url), settings("--settings", file(f"checkpoints: {url}"))):
        assert (found.checkpoint_claim, found.checkpoints, found.checkpoints_in_store) == ("", url, True)
    assert not settings().checkpoints_in_store
    assert not settings("--checkpoint-claim", "kept").checkpoints_in_store


def test_checkpoints_have_one_place():
    with pytest.raises(UserError, match="--checkpoint-claim and --checkpoints are two places for the same: give one"):
        settings("--checkpoint-claim", "kept", "--checkpoints", "gs://bucket/x")


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        ("kept=/data", "--checkpoint-claim kept is also a --volume: give a claim of its own"),
        ("data=/checkpoints", "--volume has /checkpoints, where --checkpoint-claim is mounted: choose another path"),
        ("data=/checkpoints/", "--volume has /checkpoints"),
    ],
)
def test_a_claim_for_checkpoints_that_no_pod_could_mount_is_refused(volume, message):
    with pytest.raises(UserError, match=message):
        settings("--volume", volume, "--checkpoint-claim", "kept")


def test_a_history_is_a_server_or_a_file_on_a_volume(file):
    assert settings().tracking_uri == settings().register == ""
    found = settings("--tracking-uri", "https://mlflow.example.org/", "--register", "pneumonia")
    assert (found.tracking_uri, found.register) == ("https://mlflow.example.org", "pneumonia")
    path = file("tracking_uri: sqlite:////history/mlflow.db\nvolume: {runs: /history}")
    assert settings("--settings", path).tracking_uri == "sqlite:////history/mlflow.db"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--tracking-uri", "mlruns"], "MLflow has retired the folder store"),
        (["--tracking-uri", "https://me:geheim@host"], "holds a user, a password or a token"),
        (["--on-regression", "fail"], "--on-regression has no effect without --tracking-uri"),
        (["--runs-per-year", "12"], "--runs-per-year has no effect without --tracking-uri"),
        (["--confirm-regressions"], "--confirm-regressions has no effect without --tracking-uri"),
        (
            ["--tracking-uri", "https://h", "--on-regression", "ring"],
            "--on-regression 'ring' is not understood: give warn",
        ),
        (["--tracking-uri", "https://h", "--runs-per-year", "0.5"], "give a number from 1 to 8784"),
        (["--tracking-uri", "sqlite:////history/mlflow.db"], "is on no volume"),
        (["--tracking-uri", "sqlite:///history/mlflow.db", "--volume", "c=/history"], "is relative"),
        (["--register", "pneumonia"], "--register has no effect without --tracking-uri"),
        (["--tracking-uri", "https://host", "--register", "a/b"], "--register 'a/b' is not understood"),
        (["--tracking-uri", "https://host", "--register", "a'b"], "is not understood: give a name without / : ' and"),
        (["--tracking-uri", "https://host", "--register", " "], "--register ' ' is not understood"),
    ],
)
def test_a_history_that_no_pod_could_keep_is_refused(words, message):
    with pytest.raises(UserError, match=message) as error:
        settings(*words)
    assert "geheim" not in str(error.value)


def test_alarms_are_said_and_of_a_run_a_week_by_default():
    plain = settings("--tracking-uri", "https://host")
    assert (plain.on_regression, plain.runs_per_year, plain.confirm_regressions) == ("warn", None, False)
    words = ["--on-regression", "fail", "--runs-per-year", "365.25", "--confirm-regressions"]
    given = settings("--tracking-uri", "https://host", *words)
    assert (given.on_regression, given.runs_per_year, given.confirm_regressions) == ("fail", 365.25, True)
