"""The twin's FlashArray: REST 2.x of Purity//FA as public clients use it, in front of one model of an array."""
