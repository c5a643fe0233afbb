"""How far an answer can be trusted: scores that mean what they say, sets that hold the truth, and
pictures that show nothing the model was taught.

All of it is arithmetic on a model's scores and embedding, with numbers that were taken from
labelled pictures and are kept in the bundle. docs/verdicts.md says what it promises. `fitting` and
`trial` are imported by those who calibrate; classifying needs neither.
"""

from __future__ import annotations

from ..results import ACCEPTANCE as ACCEPTANCE
from ..results import COVERAGE as COVERAGE
from .values import RECORD as RECORD
from .values import Judge as Judge
from .values import Judgement as Judgement
from .values import Trust as Trust
from .values import check_shares as check_shares
from .values import tempered as tempered
from .values import trust_of as trust_of
