"""Fuzzers with fixed seeds: hundreds of cases in the tests, as many as asked for by `--fuzz-cases N`."""
