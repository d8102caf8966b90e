"""One WhatsApp Web session, kept alive in one container."""

VERSION = "0.1.0"
