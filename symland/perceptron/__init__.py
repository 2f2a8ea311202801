"""Networks with weights +1 and -1: all solutions counted exactly, and what learning rules find among them.

Baldassi et al. (PNAS 117, 161 (2020)) ask where entropic algorithms end. At 25 weights every solution can be listed, so
that the answer is exact.
"""

from symland.perceptron.counting import Solutions, committee_solutions, perceptron_solutions, signs
from symland.perceptron.messages import focusing, marginals, reinforced
from symland.perceptron.solvers import anneal, replicated, sbpi
from symland.perceptron.study import PerceptronStudy, study

__all__ = [
    "PerceptronStudy",
    "Solutions",
    "anneal",
    "committee_solutions",
    "focusing",
    "marginals",
    "perceptron_solutions",
    "reinforced",
    "replicated",
    "sbpi",
    "signs",
    "study",
]
