"""What the documentation computes, comes out as it says."""

import doctest
from pathlib import Path

import pytest

PAGES = sorted(path for path in (Path(__file__).parents[1] / "docs").glob("*.md") if ">>>" in path.read_text())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_of_a_page_give_what_it_says(page):
    failed, ran = doctest.testfile(str(page), module_relative=False)
    assert ran > 0 and failed == 0


def test_there_is_a_page_that_computes():
    assert [page.stem for page in PAGES] == ["anomalies"]
