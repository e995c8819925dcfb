"""The engine: plan the units of a run, read one unit page by page, finish the run.

Each step is called by the state machine, keeps its progress in the discovery table, and may be
killed and repeated at any point.
"""
