"""Evaluations whose trainings were searches, as evaluate writes them."""

import numpy as np

from components.artifacts import evaluation, files, tuning
from tests.compare.conftest import make_scores, make_validation

MULTIPLES = (0.3, 1, 3)


def add_search(
    folder, multiples=MULTIPLES, layers=(), separations=None, kept=1, given=0.001, lost=(), diverged=(), seed=0
):
    """Makes the training of an evaluation a search.

    Args:
        folder: of the evaluation.
        multiples: of the learning rate.
        layers: numbers of trainable layers, each with every multiple.
        separations: of the classes, for each candidate.
        kept: number of the candidate that was kept.
        given: learning rate.
        lost: numbers of candidates that diverged in their first epoch.
        diverged: numbers of others that diverged.
        seed: of the scores.
    """
    pairs = [(count, multiple) for count in layers or (None,) for multiple in multiples]
    separations = separations or [3 + 0.1 * place for place in range(len(pairs))]
    validation, logits, candidates = make_validation(), {}, []
    for number, ((count, multiple), separation) in enumerate(zip(pairs, separations, strict=True), 1):
        candidate = {"multiple": multiple, "learning_rate": given * multiple, "best_epoch": 3, "epochs": 8}
        candidate |= {"seconds": 5.0, "diverged": number in (*lost, *diverged), "validation_auc": 0.9}
        candidate |= {"validation_loss": 0.2} | ({} if count is None else {"trainable_layers": count})
        if number in lost:
            candidate |= {"validation_auc": None, "validation_loss": None, "best_epoch": None}
        else:
            logits[number] = evaluation.logits(make_scores(validation, separation, 100 * seed + number).astype(float))
        candidates.append(candidate)
    varied = ["learning_rate"] * (len(multiples) > 1) + ["trainable_layers"] * bool(layers)
    found = {"learning_rate": given} | ({"trainable_layers": 10} if layers else {})
    found = {"varied": varied, "given": found, "candidates": candidates, "chosen": kept}
    change(folder, found, recipe={"learning_rate": candidates[kept - 1]["learning_rate"]})
    # In another order than predictions.csv: images are matched by name.
    order = np.random.default_rng(seed).permutation(len(validation))
    tuning.save(folder, validation["image"].to_numpy()[order], {number: own[order] for number, own in logits.items()})
    return folder


def add_penalties(folder, aucs=((0.01, 0.95), (0.1, 0.97), (1.0, 0.96)), kept=2):
    """Makes the training of an evaluation of transfer learning one with the search for its penalty."""
    candidates = [
        {"strength": strength, "depths": ["block"], "validation_auc": auc, "validation_loss": 0.2}
        for strength, auc in aucs
    ]
    candidates.append({"strength": 0.01, "depths": ["other"], "validation_auc": 0.5, "validation_loss": 0.6})
    change(folder, {"varied": ["strength"], "given": {}, "candidates": candidates, "chosen": kept})
    return folder


def change(folder, found, recipe=None):
    """Puts a search into the training of an evaluation."""
    record = files.read_json(folder / "evaluation.json", evaluation.KIND)
    training = record["training"]
    training["tuning"] = found
    training["recipe"] |= recipe or {}
    files.write_json(folder / "evaluation.json", record)
    return folder


def write_searches(write, seeds=(0, 1, 2), layers=(5, 10, 20)):
    """Evaluations of all regimes with searches; the order of the custom CNN and the others depends on the multiple."""
    found = []
    for seed in seeds:
        for regime, separations in (("custom_cnn", [4.5, 2.5, 2.0]), ("full_fine_tuning", [2.0, 3.4, 4.4])):
            folder = write.evaluation(regime, seed=seed)
            found.append(add_search(folder, separations=separations, kept=3 if regime[0] == "f" else 1, seed=seed))
        folder = write.evaluation("partial_fine_tuning", seed=seed)
        found.append(add_search(folder, layers=layers, kept=5, seed=seed + 50))
        found.append(add_penalties(write.evaluation("transfer_learning", seed=seed), kept=2 + seed % 2))
    return found
