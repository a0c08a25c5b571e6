"""Reports: facts from the order events, roll-ups that add up to the cent, and the questions that they answer."""
