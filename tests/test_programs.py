"""The helper that keeps CI from passing by leaving tests out."""

import pytest

from programs import need


def test_a_program_that_is_there_is_found() -> None:
    assert need("git").endswith("git")


def test_a_missing_program_skips_and_says_what_it_needs() -> None:
    with pytest.raises(pytest.skip.Exception, match="needs no-such-program"):
        need("no-such-program", is_ci=False)


def test_a_missing_program_fails_in_ci() -> None:
    with pytest.raises(pytest.fail.Exception, match="needs no-such-program"):
        need("no-such-program", is_ci=True)
