"""The books of a run of calls: what each attempt cost, what the run may still spend, what it probably
will.
"""
