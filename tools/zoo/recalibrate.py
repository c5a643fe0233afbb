"""Calibrates the built-in models anew, as they lie in the package: the graphs stay as they are.

python tools/zoo/recalibrate.py ../shared/data/imagenet-val-sample
"""

from pathlib import Path

import click
from bundles import ZOO, calibrated, write_zoo

from whatsit import Bundle, zoo


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(folder: Path) -> None:
    """FOLDER holds labelled pictures that no weights were fitted to, such as validation ones."""
    names = list(zoo.catalogue())
    files = [ZOO / f"{name}.tflite" for name in names]
    write_zoo([calibrated(Bundle.read(file), folder) for file in files], names, ZOO)


if __name__ == "__main__":
    main()
