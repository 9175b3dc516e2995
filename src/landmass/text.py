"""Text for people: tables of plain text, and what rungs are called."""

# Words in the names of families that people write otherwise.
WRITTEN = {"pca": "PCA", "vae": "VAE"}


def table(rows: list[tuple[str, ...]]) -> str:
    """Rows of cells with their columns below each other, the first from the left, the others from the right."""
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        [cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in enumerate(zip(row, wide, strict=True))]
        for row in rows
    ]
    return "\n".join("  ".join(line).rstrip() for line in lines)


def title(rung: str) -> str:
    """The name of a rung or a family as people write it: `probabilistic_pca` is probabilistic PCA."""
    return " ".join(WRITTEN.get(word, word) for word in rung.split("_"))
