"""How fast a model is on this device, and whether the numbers can be believed.

`measure` takes the times, `changes_between` sets two runs side by side; docs/measuring.md says how.
"""

from __future__ import annotations

from .changes import Change as Change
from .changes import Changes as Changes
from .changes import changes_between as changes_between
from .changes import check_comparable as check_comparable
from .changes import check_pictures as check_pictures
from .measuring import latencies as latencies
from .measuring import measure as measure
from .measuring import settings_for as settings_for
from .pictures import Pictures as Pictures
from .pictures import choose_pictures as choose_pictures
from .values import Benchmark as Benchmark
from .values import Failed as Failed
from .values import Measurement as Measurement
from .values import Setting as Setting
