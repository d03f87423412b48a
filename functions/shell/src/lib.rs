//! What the functions share around their pure cores.
