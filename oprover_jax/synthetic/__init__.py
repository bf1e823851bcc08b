"""Generated theorem families and a textbook: the data of the demo."""
