"""Benchmarks: ratios taken in one run, on machines that are shared. They judge nothing."""
