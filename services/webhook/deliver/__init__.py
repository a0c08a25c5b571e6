"""The deliver worker: claim, send with nothing open, settle. One drain per endpoint, so none delays another."""
