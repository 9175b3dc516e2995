"""How far each family stays from the truth on the toys, whose entropy is known.

python benchmarks/toys.py                        # 20,000 events of each toy
"""

import argparse

import landmass
from landmass.data.builtin import DATASETS


def main() -> None:
    """Print one table: a row a toy, a column a rung."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--n", type=int, default=20_000)
    options.add_argument("--toys", default=",".join(name for name in DATASETS if name != "land"))
    chosen = options.parse_args()
    for i, toy in enumerate(chosen.toys.split(",")):
        test = landmass.read(toy, n=20_000, seed=1000)
        ledger = landmass.Ladder(random_state=0).fit(landmass.read(toy, n=chosen.n, seed=0), test=test).ledger_
        if i == 0:
            print("| toy | " + " | ".join(rung.family for rung in ledger.rungs) + " | s.e. |")
            print("|---" * (len(ledger.rungs) + 2) + "|")
        gaps = [ledger.gap(rung) for rung in ledger.rungs]
        cells = ["-inf" if gap is None else f"{gap:.4f}" for gap in gaps]
        print(f"| {toy} | " + " | ".join(cells) + f" | {ledger.rungs[-1].se:.4f} |", flush=True)


if __name__ == "__main__":
    main()
