"""What becomes of trained layouts: fewer connections, shared modules, several made one."""
