"""What the report's words mean, for readers who never saw a layout."""

from collections.abc import Mapping
from types import MappingProxyType

PRIMER: Mapping[str, str] = MappingProxyType(
    {
        "backbone": "The pre-trained transformer. All of its parameters stay frozen.",
        "node": (
            "A state of the residual stream, the running sum to which every sub-layer adds. Node "
            "0 is the embedding output; in block l, counted from 0, node 2l+1 is the state after "
            "attention and node 2l+2 the state after the MLP. Blocks that add both at once have "
            "one node each."
        ),
        "connection": (
            "One small trainable adapter and its wiring. Written source>target: it reads the "
            "state at node source and adds its output to the state at node target. After a colon "
            "follows its module, e.g. 3>9:bottleneck(rank=8)."
        ),
        "sequential": "source = target: the adapter works on the node that it reads.",
        "parallel": "target = source + 1: it runs beside one sub-layer, as adapters usually do.",
        "long-range": "target > source + 1: it carries a state forward past several sub-layers.",
        "recurrent": (
            "source > target: it carries a late state back to an early node. The backbone "
            "therefore runs twice per example, so that a deployed layout costs about twice the "
            "FLOPs and time."
        ),
        "layout": (
            "The set of connections that one trial trains, beside a new head (the classifier on "
            "top). Written as its connections joined by +; none is the layout without "
            "connections."
        ),
        "score": (
            "The task's metric, named with its direction under Repeat it. Trials are scored on the "
            "validation split; the test split is read by the finalists, by the answer's trainings "
            "after it was chosen, and by the references that it is compared with."
        ),
        "baselines": (
            "Layouts that every study evaluates first, to measure the answer by: head only (no "
            "adapter), every layer, parallel and sequential (an adapter at each sub-layer), last "
            "layers (parallel adapters at the last sub-layers), evenly spread (parallel adapters "
            "at even distances), greedy (the choice by gradient rank of Nowak et al., GGA), every "
            "layer at the same budget (with its rank lowered until it costs what an answer may), "
            "LoRA in every layer (of rank 8, on the maps to queries and values, at no budget), and "
            "random (random connections)."
        ),
        "from elsewhere": (
            "A layout that another study found on its task, and that this one was given to start "
            "from (--start-from)."
        ),
        "admitted": (
            "Whether search space and budget allow a layout, so that it may be the answer. The "
            "others are references."
        ),
        "FLOPs and latency": (
            "Cost of one forward pass relative to the bare backbone with its head: counted "
            "operations, and measured time."
        ),
        "proxy": (
            "A score of a connection, or of a whole layout, that is had without training it: from "
            "gradients, from states alone (feature norm, change diversity), or from the other "
            "proxies and the scores of this study's trials (combined)."
        ),
    }
)
"""Each word with its meaning, in the order in which they explain each other."""
