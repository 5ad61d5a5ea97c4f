"""Real audio that nobody here made: speech, music and sounds of Debian's packages, to choose and to judge by."""
