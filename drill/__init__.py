"""The survival drill: faults at random moments, and after each the one question: READY again, without a QR?"""
