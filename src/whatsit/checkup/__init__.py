"""The model doctor: why two pipelines disagree, why MediaPipe refuses a file, why accuracy is low.

`checkup` examines a file, and where there is something to compare with, tries which deviation in
the way of a picture explains the difference.
"""

from __future__ import annotations

from .checking import checkup as checkup
from .values import Accuracy as Accuracy
from .values import Checkup as Checkup
from .values import Finding as Finding
from .values import Severity as Severity
from .values import Trial as Trial
