"""What the command line says of a fit under way."""

import msgspec
import pytest

from landmass.cli.view import running
from landmass.train.progress import Progress


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (Progress("advanced", loss=0.5, score=-0.4, log_det=(-1.0, -2.0)), "training -1.500  validation -2.400 nats"),
        (Progress("chosen", score=-1.0, message="n_cells = 8"), "n_cells = 8  validation -1.000 nats"),
        (Progress("started"), ""),
    ],
)
def test_progress_is_told_as_log_likelihood_in_the_units_of_the_data(record: Progress, told: str):
    assert running(record) == told


def test_record_of_an_earlier_release_is_read():
    old = b'{"kind":"advanced","family":"it","step":2,"max_steps":4,"loss":0.5,"score":-0.4,"seconds":1.0,"message":""}'
    assert msgspec.json.decode(old, type=Progress).held_out_score == -0.4
