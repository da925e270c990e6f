"""Which benchmarks are run."""

from __future__ import annotations

import pytest

from bench.__main__ import BENCHMARKS, main


def test_a_benchmark_that_is_not_there_is_answered_with_those_that_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["WRONG"])

    said = capsys.readouterr().err
    assert f"there is no 'WRONG'; choose from {', '.join(BENCHMARKS)}" in said
    assert "[]" not in said
