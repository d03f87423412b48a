//! Wharf
fn main() {}
