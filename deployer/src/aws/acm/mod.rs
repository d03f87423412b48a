//! Certificate Manager: public certificates, proven by a DNS record.

pub mod certificate;
pub mod issued;

mod list;
#[cfg(test)]
mod tests;
