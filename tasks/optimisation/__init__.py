"""Combinatorial optimisation and optimal power flow: feasible or not, and how far from the proved optimum."""
