"""The ledger's errors are honest: its intervals cover the truth as often as they say."""

import numpy as np
import pytest

import landmass
from landmass import Gaussian, GaussianMixture, Ladder

FITS = 200


@pytest.mark.slow
def test_intervals_of_held_out_scores_cover_the_truth():
    """95% intervals of 200 fits; a binomial count of 200 lies in 91 to 98% of them in 99 of 100 such studies."""
    fresh = landmass.read("mixture", n=100_000, seed=10_000)
    covered, stretched = {}, {}
    for seed in range(FITS):
        events = landmass.read("mixture", n=1000, seed=seed)
        ladder = Ladder([Gaussian(), GaussianMixture(n_components=3)], random_state=seed).fit(events)
        for rung in ladder.ledger_.rungs:
            # The score of this fit in the limit of ever more held-out events.
            truth = ladder.rungs_[rung.family].score(fresh)
            off = abs(rung.nats - truth) / rung.se
            covered.setdefault(rung.family, []).append(off < 1.96)
            # Errors of half the size, as an unlucky division by n instead of its root would not even reach.
            stretched.setdefault(rung.family, []).append(off < 0.98)
    for family, hits in covered.items():
        print(f"{family}: {np.mean(hits):.1%} covered, {np.mean(stretched[family]):.1%} by intervals of half the width")
        assert 0.91 <= np.mean(hits) <= 0.98, family
        assert np.mean(stretched[family]) < 0.91, family
