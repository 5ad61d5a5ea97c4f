"""Real audio that nobody here made: speech, music and sounds of Debian, to judge by."""
