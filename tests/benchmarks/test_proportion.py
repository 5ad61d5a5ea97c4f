"""Growth is the power of a cost, and its steepest step that of a unit's cost."""

from __future__ import annotations

import pytest

from benchmarks.proportion import growth_exponent, steepest_step


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_the_exponent_is_that_of_a_power(power: float):
    amounts = [1, 4, 16, 64]
    assert growth_exponent(amounts, [3 * n**power for n in amounts]) == pytest.approx(power)


def test_a_fixed_cost_beside_one_in_proportion_grows_with_less_than_the_first_power():
    assert growth_exponent([1, 10, 100], [11, 20, 110]) < 0.6


def test_the_steepest_step_is_the_one_after_which_a_unit_costs_most_more():
    # for each unit: 4, 2, 3, 3.3
    assert steepest_step([1, 2, 4, 10], [4, 4, 12, 33]) == pytest.approx(1.5)
    assert steepest_step([1, 2, 4], [4, 4, 4]) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("amounts", "totals"),
    [([1], [1]), ([], []), ([1, 2], [1]), ([2, 1], [1, 1]), ([1, 1], [1, 1]), ([1, 2], [1, 0])],
)
def test_what_has_no_growth_is_an_error(amounts: list[float], totals: list[float]):
    for measure in (growth_exponent, steepest_step):
        with pytest.raises(ValueError, match="expected two or more rising amounts"):
            measure(amounts, totals)
