"""Statistical power: what a test set of a given size can show about differences in ROC AUC.

Everything here follows from standard errors and the normal approximation, before or after a training, and needs no
image.
"""

from scipy.stats import norm


def power_of_noninferiority(true_loss: float, margin: float, standard_error: float, level: float) -> float:
    """Probability that a test shows a loss to be smaller than the margin.

    The test rejects "the loss is `margin` or more" where the upper one-sided confidence limit of the observed loss,
    at the confidence 1 - `level`, lies below `margin`.

    Args:
        true_loss: true value of the better model minus that of the other one, for example in ROC AUC.
        margin: the largest loss that is acceptable.
        standard_error: of the observed loss; 0 for a loss without error.
        level: one-sided error rate of the test, for example 0.025 for a two-sided 95% interval.

    Returns:
        The power; where the true loss equals the margin it is `level`.
    """
    _check_rates(level=level)
    if standard_error <= 0:
        return float(true_loss < margin)
    return float(norm.cdf((margin - true_loss) / standard_error - norm.isf(level)))


def factor_for_power(
    margin: float, standard_error: float, level: float, power: float = 0.8, true_loss: float = 0.0
) -> float:
    """Factor by which the number of test patients must change for a given power of the non-inferiority test.

    The squared standard error is taken to be inversely proportional to the number of patients. It may only contain
    what more patients reduce: the variation between trainings (seeds) stays as it is.

    Args:
        margin: the largest loss that is acceptable, above `true_loss`.
        standard_error: of the observed loss, with the present number of patients.
        level: one-sided error rate of the test.
        power: the power wanted.
        true_loss: the loss at which the power is wanted; 0 for models that are equal in truth.

    Returns:
        The factor; up to 1 where the present patients are enough, infinity where no number is.
    """
    _check_rates(level=level, power=power)
    if margin <= true_loss:
        return float("inf")
    needed = norm.isf(level) + norm.ppf(power)
    return float(max(0.0, needed) ** 2 * (standard_error / (margin - true_loss)) ** 2)


def _check_rates(**rates: float) -> None:
    for name, value in rates.items():
        if not 0 < value < 1:
            raise ValueError(f"{name} is {value}, but must lie between 0 and 1")
