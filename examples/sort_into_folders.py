"""Copies pictures into one folder a class. Usage: python sort_into_folders.py FROM TO"""

import shutil
import sys
from pathlib import Path

import whatsit

source, target = Path(sys.argv[1]), Path(sys.argv[2])
pictures = sorted(path for path in source.iterdir() if path.suffix in (".jpg", ".png"))

with whatsit.load() as model:
    for path, result in zip(pictures, model.classify_many(pictures), strict=True):
        if result.error:
            print(result.error.message, file=sys.stderr)
            continue
        sure = result.verdict is whatsit.Verdict.SURE
        folder = target / (result.predictions[0].label if sure else "unsorted")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, folder)
        print(f"{path.name} → {folder.name}")
