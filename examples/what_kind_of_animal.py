"""Answers with a wider term where the model cannot tell breeds apart: adds up WordNet's branches.

Usage: python what_kind_of_animal.py PICTURE
"""

import sys
from collections import defaultdict

import whatsit

with whatsit.load() as model:
    labels = model.bundle.labels
    result = model.classify(sys.argv[1], top=len(labels))

totals: defaultdict[str, float] = defaultdict(float)
for prediction in result.predictions:
    for synset in labels.ancestors(prediction.index):
        totals[synset] += prediction.score

# The narrowest term that holds at least 90 % of the probability: the one with most ancestors.
likely = [synset for synset, total in totals.items() if total >= 0.9]


def depth(synset: str) -> int:
    parent = labels.tree[synset][1]
    return 0 if parent is None else 1 + depth(parent)


best = max(likely, key=depth)
print(f"{totals[best]:.1%}  {labels.tree[best][0]}")
