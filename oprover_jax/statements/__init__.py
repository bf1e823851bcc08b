"""When two statements are the same: normal and canonical forms, decontamination, benchmarks."""
