"""The warning that some test images are of patients who are also in training."""

from components.artifacts.comparison import Findings
from components.compare.report import formats
from components.compare.report.titles import namer

WITHOUT = "patient new"
"""The subgroup of the other test images."""


def warning(findings: Findings) -> str:
    """Says how many test images are of patients who are also in training or validation, and what changes without them.

    Args:
        findings: numbers of the comparison.

    Returns:
        A few sentences, or nothing where there are no such images.
    """
    found = findings["dataset"].get("seen_in_training")
    if not found or not found["images"]:
        return ""
    images, of = found["images"], findings["dataset"]["splits"]["test"]["images"]
    return (
        f"{formats.count(images)} of {formats.count(of)} test images {'is' if images == 1 else 'are'} of "
        f"{formats.counted(found['patients'], 'patient', 'patients')} who also "
        f"{'has' if found['patients'] == 1 else 'have'} images in training or validation "
        f"({_classes(images, found['pneumonia'])}). A network may recognise these patients, which would make its "
        f"results too optimistic.{_without(findings)}"
    )


def _classes(images: int, pneumonia: int) -> str:
    if pneumonia in (0, images):
        kind = "pneumonia" if pneumonia else "normal"
        return f"all {kind}" if images > 1 else kind
    return f"{formats.count(pneumonia)} pneumonia, {formats.count(images - pneumonia)} normal"


def _without(findings: Findings) -> str:
    """The highest ROC AUC of a regime, and its ROC AUC on the other images where both classes are left."""
    regimes = findings["regimes"]
    best = max(regimes, key=lambda name: regimes[name]["metrics"]["roc_auc"]["value"])
    regime = regimes[best]
    rest = regime["subgroups"].get(WITHOUT, {"metrics": {}})["metrics"].get("roc_auc")
    if not rest:
        return ""
    everyone = regime["metrics"]["roc_auc"]["value"]
    return (
        f" Without these images the ROC AUC of {namer(findings)(best)} is {formats.decimal(rest['value'])} "
        f"({formats.span(rest['ci95'])}) instead of {formats.decimal(everyone)}; the other results without them are "
        "under “Subgroups”."
    )
