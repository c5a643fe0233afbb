"""The same with MediaPipe Tasks, after its own guide. Usage: mediapipe_script.py MODEL PICTURE"""

import sys

import mediapipe as mp
from mediapipe.tasks import python
from mediapipe.tasks.python import vision

base_options = python.BaseOptions(model_asset_path=sys.argv[1])
options = vision.ImageClassifierOptions(base_options=base_options, max_results=5)
with vision.ImageClassifier.create_from_options(options) as classifier:
    result = classifier.classify(mp.Image.create_from_file(sys.argv[2]))
for category in result.classifications[0].categories:
    print(category.category_name, category.score)
