#!/usr/bin/env python3
"""Turns WikiText's files of words into files of token ids: `words.py wiki.train.tokens wiki.valid.tokens wiki.test.tokens` writes FILE.u32 for each, little-endian, and words.txt.

The vocabulary is all words of the first file, the most frequent first, with <eos> for each line end; id 0 stands before each article. Words that the first file lacks are <unk>.
"""
import array
import collections
import pathlib
import re
import sys

# ' = Title = ', with one '=' alone: deeper ones are sections.
TITLE = re.compile(r"^ = [^=](.*[^=])? = $")


def words(path):
    """None where an article begins, then its words."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            if TITLE.match(line):
                yield None
            yield from line.split()
            yield "<eos>"


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        print(__doc__)
        return 2
    counts = collections.Counter(word for word in words(sys.argv[1]) if word is not None)
    counts.setdefault("<unk>", 0)
    order = sorted(counts, key=lambda word: (-counts[word], word))
    ids = {None: 0} | {word: index for index, word in enumerate(order, 1)}
    pathlib.Path("words.txt").write_text("\n".join(["<article>", *order, ""]), encoding="utf-8")
    for path in sys.argv[1:]:
        tokens = array.array("I", (ids.get(word, ids["<unk>"]) for word in words(path)))
        if sys.byteorder == "big":
            tokens.byteswap()
        with open(path + ".u32", "wb") as file:
            tokens.tofile(file)
        print(f"{path}.u32: {len(tokens):,} tokens of {len(ids):,}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
