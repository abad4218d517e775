import pytest

from .dicom_matrix import SYNTAXES, kinds, largest_error

STEP = 37
"""The quick tests try every 37th combination; the number shares no divisor with those of the single properties."""
FEW, SMALL_STEP = 100, 5
"""The same for syntaxes that allow fewer combinations."""


def worst(chosen) -> float:
    return max(largest_error(kind) for kind in chosen)


@pytest.mark.medium
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_sample_of_all_declarations_comes_out_as_numpy_computes_it(syntax):
    allowed = [kind for kind in kinds() if kind.syntax == syntax]
    assert worst(allowed[:: STEP if len(allowed) > FEW else SMALL_STEP]) < 0.501


@pytest.mark.slow
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_all_combinations_of_declarations_come_out_as_numpy_computes_them(syntax):
    assert worst(kind for kind in kinds() if kind.syntax == syntax) < 0.501
