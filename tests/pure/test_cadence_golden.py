from __future__ import annotations

import pytest

from tests.pure.golden import ROWS


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_cadence_gives_the_moments_that_others_calculated(row):
    found = [" ".join([f"{one.starts_at:%Y-%m-%dT%H:%MZ}", *(bend.kind for bend in one.bends)]) for one in row.found()]
    assert found == row.expect


def test_the_golden_file_is_large_and_covers_every_mark():
    assert len(ROWS) >= 150
    marks = {mark for row in ROWS for moment in row.expect for mark in moment.split()[1:]}
    assert marks == {"gap", "fold", "holiday", "extra", "derived"}
