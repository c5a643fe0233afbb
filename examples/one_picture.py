"""What is in one picture? Usage: python one_picture.py PICTURE"""

import sys

import whatsit

with whatsit.load() as model:
    result = model.classify(sys.argv[1], top=3)

for prediction in result.predictions:
    print(f"{prediction.score:6.1%}  {prediction.label}  ({prediction.synset})")
