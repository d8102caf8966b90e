"""The commands, one small module a topic. A module is read when one of its commands is called."""
