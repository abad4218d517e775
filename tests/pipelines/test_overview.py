"""The table of requests shows what the YAML file says."""

import re

from compile import main


def test_what_is_asked_of_the_cluster_is_printed_as_a_table(tmp_path, capsys):
    words = ["--secret", "KAGGLE_KEY=kaggle/key", "--secret-file", "gcp=/gcp", "--user", "1001", "--timeout", "train=0"]
    main([*words, "--gpus", "2", "--output", str(tmp_path)])
    _, table, size = capsys.readouterr().out.split("\n\n")
    rows = {line.split("  ")[0]: line for line in table.splitlines()}
    assert list(rows) == ["task", "Ingest", "Preprocess", "4 x Train", "Evaluate", "Compare", "Check"]
    assert "KAGGLE_KEY from kaggle/key, /gcp from gcp" in rows["Ingest"]
    assert rows["4 x Train"].split()[3:] == [
        "2",
        "8G",
        "2",
        "nvidia.com/gpu",
        "2",
        "never",
        "non-root",
        "1001",
        "-",
        "no",
    ]
    assert rows["Preprocess"].split()[-1] == "yes"
    assert re.match(r"status of a run: about \d+0 KB of the 1 MB that Kubeflow Pipelines 2\.17 can read\n", size)
