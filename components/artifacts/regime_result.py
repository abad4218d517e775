"""One regime in `results.json`: metrics, thresholds, calibration, subgroups, cost."""

from typing import NotRequired, TypedDict

from components.artifacts.evaluation import Confusion, Threshold

POINT_METRICS = ("recall", "specificity", "precision", "accuracy")
"""Metrics of every further threshold."""

CALIBRATION_METRICS = ("brier", "ece", "log_loss")
"""Metrics of the scores before and after calibration."""

SUBGROUP_METRICS = ("recall", "specificity", "accuracy")
"""Metrics of every subgroup, besides ROC AUC."""


class Metric(TypedDict):
    """A metric of a regime.

    Attributes:
        value: mean over the seeds.
        ci95: lower and upper end of the 95% interval.
        sd_seeds: standard deviation between seeds; missing with one seed.
    """

    value: float
    ci95: list[float]
    sd_seeds: NotRequired[float]


class PointResult(TypedDict):
    """What a further threshold achieves on the test images.

    Attributes:
        name: for example "90% specificity".
        threshold: of the uncalibrated score, mean over the seeds.
        chosen_on: "validation"; None for what was not chosen on data.
        metrics: {one of `POINT_METRICS`: metric}.
    """

    name: str
    threshold: float
    chosen_on: str | None
    metrics: dict[str, Metric]


class ReliabilityBin(TypedDict):
    """The images whose scores lie in one bin of the reliability diagram.

    Attributes:
        score: their mean score.
        pneumonia: the share of them that are pneumonia.
        images: how many there are, summed over the seeds.
        pneumonia_ci95: 95% interval of the share, as if all images were of different patients.
    """

    score: float
    pneumonia: float
    images: int
    pneumonia_ci95: list[float]


class Change(TypedDict):
    """A difference of two values of the same models.

    Attributes:
        value: mean over the seeds.
        ci95: lower and upper end of the 95% interval.
    """

    value: float
    ci95: list[float]


class CalibrationStage(TypedDict):
    """The scores as probabilities, either before or after calibration.

    Attributes:
        brier: mean squared error.
        log_loss: mean negative log-likelihood (nats).
        ece: expected calibration error.
        ece_if_calibrated: the error that a perfectly calibrated model with these scores has on average, by chance.
        slope: calibration slope; 1 is right, below 1 the scores are too extreme. None where the scores separate the
            classes.
        intercept: calibration in the large; 0 is right, below 0 the scores are too high.
        reliability: non-empty bins in the order of the score.
    """

    brier: Metric
    log_loss: Metric
    ece: Metric
    ece_if_calibrated: float
    slope: Change | None
    intercept: Change
    reliability: list[ReliabilityBin]


class CalibrationResult(TypedDict):
    """Platt scaling and its effect.

    Attributes:
        temperature: divides the logits; mean over the seeds.
        offset: is added then; mean over the seeds.
        fitted_on: "validation".
        before, after: on the test images.
        brier_change, log_loss_change: after minus before, on the same images; above 0 calibration made it worse.
    """

    temperature: float
    offset: float
    fitted_on: str
    before: CalibrationStage
    after: CalibrationStage
    brier_change: Change
    log_loss_change: Change


class ValidationResult(TypedDict):
    """A regime on the validation images, on which epoch, threshold and calibration were chosen: too optimistic.

    Attributes:
        images, patients: counts.
        metrics: {one of `evaluation.METRICS`, or "youden" for Youden's J: metric}.
    """

    images: int
    patients: int
    metrics: dict[str, Metric]


class ShiftResult(TypedDict):
    """How a regime changes from the validation to the test images.

    Attributes:
        youden: Youden's J (sensitivity + specificity - 1) on test, at the threshold chosen on validation.
        youden_validation: the same on validation, less the optimism.
        optimism: by how much J on the images on which the threshold was chosen is too high, by a bootstrap.
        youden_change: `youden` minus `youden_validation`.
        roc_auc_change: ROC AUC on test minus validation.
        best_youden: the largest J of any threshold on test; optimistic, since it is chosen on the test images.
        kolmogorov_smirnov: {"normal" or "pneumonia": distance of the scores on validation and test, from 0 to 1}.
        shown: whether the interval of `youden_change` excludes 0 once corrected for the number of regimes (Bonferroni).
    """

    youden: Metric
    youden_validation: float
    optimism: float
    youden_change: Change
    roc_auc_change: Change
    best_youden: float
    kolmogorov_smirnov: dict[str, float]
    shown: bool


class SubgroupResult(TypedDict):
    """A regime on a part of the test images.

    Attributes:
        images, pneumonia, patients: counts of the part; `pneumonia` is of images.
        metrics: ROC AUC and `SUBGROUP_METRICS`, without those that need a class which the part does not have.
    """

    images: int
    pneumonia: int
    patients: int
    metrics: dict[str, Metric]


class RegimeCost(TypedDict):
    """What a regime costs; means over the seeds, None where unknown.

    Attributes:
        train_seconds: of one training.
        epochs: that were trained.
        images_per_second: training images.
        peak_memory_mb: of the training process (1e6 bytes).
        peak_gpu_memory_mb: likewise of the GPU; None without one.
        parameters, trainable_parameters: counts.
        model_mb: size of the saved model (1e6 bytes).
        inference_ms_per_image: milliseconds.
        inference_images_per_second: the same as a rate.
        training_price: in the currency of the hourly prices.
    """

    train_seconds: float
    epochs: float
    images_per_second: float
    peak_memory_mb: float
    peak_gpu_memory_mb: float | None
    parameters: float
    trainable_parameters: float
    model_mb: float
    inference_ms_per_image: float
    inference_images_per_second: float
    training_price: float | None


class RegimeResult(TypedDict):
    """One regime on the test images.

    Attributes:
        metrics: {one of `evaluation.METRICS`: metric}.
        threshold: chosen on validation; its value is the mean over the seeds.
        operating_points: further thresholds.
        test_curve: {for example "sensitivity at 90% specificity": value}, read off the test ROC curve.
        calibration: Platt scaling.
        validation: on the validation images; missing where they were not predicted.
        shift: from the validation to the test images; missing likewise.
        subgroups: by name.
        confusion: counts, summed over the seeds.
        robustness: {change of the test images: ROC AUC}, mean over the seeds; None where it is not a number.
        robustness_errors: {change: standard error of its difference from "unchanged", mean over the seeds}; missing
            where evaluations of earlier versions have none, like the next one.
        robustness_images: how many of the test images were changed.
        cost: of training and use.
        time_to_auc: {validation ROC AUC: seconds of training until it was first reached}; None if a seed never did.
        per_seed: {seed: {metric: value}}; missing with one seed.
        train_seconds_by_seed: {seed: training time}; missing with one seed.
    """

    metrics: dict[str, Metric]
    threshold: Threshold
    operating_points: list[PointResult]
    test_curve: dict[str, float]
    calibration: CalibrationResult
    validation: NotRequired[ValidationResult]
    shift: NotRequired[ShiftResult]
    subgroups: dict[str, SubgroupResult]
    confusion: Confusion
    robustness: dict[str, float | None]
    robustness_errors: NotRequired[dict[str, float | None]]
    robustness_images: NotRequired[int]
    cost: RegimeCost
    time_to_auc: dict[str, float | None]
    per_seed: NotRequired[dict[str, dict[str, float]]]
    train_seconds_by_seed: NotRequired[dict[str, float]]
