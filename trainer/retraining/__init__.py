"""Learning from people: a bundle and a station's verdicts in, a better bundle out, nothing forgotten."""
