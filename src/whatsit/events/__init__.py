"""What comes and goes in a video: from steady scores to segments, and an index to search them."""

from __future__ import annotations

from .index import Appearance as Appearance
from .index import Index as Index
from .timeline import Timeline as Timeline
from .track import Now as Now
from .track import Track as Track
from .values import Event as Event
from .values import Segment as Segment
