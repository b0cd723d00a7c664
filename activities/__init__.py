"""The only code that touches the world: each activity reads, compares, changes what differs and reads back."""
