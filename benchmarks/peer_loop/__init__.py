"""What a good engineer writes today: per trial a fresh model, an adapter in it, and `Trainer`."""
