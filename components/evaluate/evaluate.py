"""Evaluates the trained models of one regime; `results` computes everything that follows from their predictions."""

import gc
import shutil
from functools import partial
from pathlib import Path

from components.artifacts import evaluation, external_test, files, trained_model, tuning
from components.artifacts.evaluation import EvaluationRecord
from components.artifacts.prepared_dataset import PreparedDataset
from components.artifacts.trained_model import TrainedModel
from components.console import UserError
from components.evaluate.results import evaluate_model
from components.inference import gradcam
from components.inference.loading import load_model
from components.inference.scoring import BATCH_SIZE, score
from components.parameters import EvaluateParameters


def evaluate(
    dataset: str | Path,
    models: str | Path,
    output: str | Path,
    parameters: EvaluateParameters,
    external: str | Path | None = None,
) -> list[EvaluationRecord]:
    """Evaluates the models of one regime, one for each seed, on the validation and the test split.

    Thresholds are chosen on the validation split; nothing is chosen on test images.

    Args:
        dataset: folder of the prepared dataset.
        models: folder of the trained models.
        output: folder of the evaluations, made anew.
        parameters: how thresholds are chosen, and whether small images are kept for the report.
        external: folder of a second prepared dataset, all of whose images are scored too.

    Returns:
        The content of `evaluation.json` for each seed.

    Raises:
        UserError: dataset or models are missing, or do not fit each other.
    """
    data = PreparedDataset.load(dataset)
    elsewhere = external_test.load(external, data)
    trained = trained_model.load_all(models)
    for model in trained:
        _check_size(model, data)
    with files.new_folder(output) as folder:
        results = []
        for model in trained:
            seed = model.training["seed"]
            # The report shows where the first model of a regime looks.
            shown = parameters.report_images and model is trained[0]
            speaker = f"evaluate {model.training['regime']}{f', seed {seed}' if len(trained) > 1 else ''}"
            own = files.seed_folder(folder, seed)
            results.append(_evaluate_seed(model, data, elsewhere, parameters, own, speaker, shown))
            # Networks refer to themselves: without this, each one of ResNet50 kept 140 MB to the end.
            gc.collect()
            if (scores := model.folder / tuning.SCORES).is_file():  # compare has no other way to them
                shutil.copyfile(scores, files.seed_folder(folder, seed) / tuning.SCORES)
        evaluation.save_index(folder, results)
    return results


def _evaluate_seed(
    model: TrainedModel,
    data: PreparedDataset,
    elsewhere: PreparedDataset | None,
    parameters: EvaluateParameters,
    folder: Path,
    speaker: str,
    shown: bool,
) -> EvaluationRecord:
    """Evaluates one model; its network is no longer needed at the end.

    Args:
        model: of one seed.
        data: the prepared dataset.
        elsewhere: the external test set; None for none.
        parameters: as for `evaluate`.
        folder: new folder for the evaluation.
        speaker: prefix of the progress message.
        shown: whether to compute heat maps.
    """
    started, network = files.now(), load_model(model.model_file)
    predict = partial(score, network)
    predict(data.splits["test"].images[:BATCH_SIZE])  # compilation must not count as inference time
    explanations = gradcam.explain(network, data.splits["test"].images) if shown else None
    return evaluate_model(
        predict,
        data,
        model.training,
        parameters.target_sensitivity,
        batch_size=BATCH_SIZE,
        started=started,
        speaker=speaker,
        folder=folder,
        external=elsewhere,
        explanations=explanations,
    )


def _check_size(model: TrainedModel, data: PreparedDataset) -> None:
    taken, given = model.training["dataset"]["image_size"], data.info["image_size"]
    if taken != given:
        raise UserError(
            f"the model takes images of {taken} px, but {data.folder} has {given} px: prepare the dataset with that "
            "image size"
        )
