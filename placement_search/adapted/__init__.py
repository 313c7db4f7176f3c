"""A backbone with a layout attached, and the frozen states that training starts from."""
