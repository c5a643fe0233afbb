"""What a person would write first: LiteRT and Pillow. Usage: ten_lines.py MODEL LABELS PICTURE"""

import os
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

labels = open(sys.argv[2], encoding="utf-8").read().splitlines()  # noqa: SIM115
interpreter = Interpreter(sys.argv[1], num_threads=os.cpu_count())
interpreter.allocate_tensors()
entry, exit_ = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
_, height, width, _ = entry["shape"]
picture = Image.open(sys.argv[3]).convert("RGB").resize((width, height))
interpreter.set_tensor(entry["index"], np.asarray(picture)[np.newaxis])
interpreter.invoke()
scores = interpreter.get_tensor(exit_["index"])[0]
print(labels[scores.argmax()], scores.max())
