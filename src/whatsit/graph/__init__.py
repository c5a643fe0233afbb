"""A bundle's graph, read and changed: its embedding, and a new head in place of the last layer.

Nothing here runs a graph; that is what `runtimes` are for.
"""

from __future__ import annotations

from .feature_map import FeatureMap as FeatureMap
from .feature_map import find_feature_map as find_feature_map
from .graft import graft as graft
from .head import Head as Head
from .head import Layer as Layer
from .head import embedding_graph as embedding_graph
from .head import find_head as find_head
from .head import last_layer as last_layer
from .head import tail_graph as tail_graph
