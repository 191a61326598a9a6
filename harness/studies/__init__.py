"""Studies: many runs from one file, with one cap on money and time, resumed by the same command."""
