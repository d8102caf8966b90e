"""The manager in a loop: what wakes it (`core`, PURE), the bells that ring, the pass it makes, and what it tells."""
