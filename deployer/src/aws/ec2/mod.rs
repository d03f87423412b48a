//! EC2 and VPC.

pub mod elastic_ip;
pub mod internet_gateway;
pub mod nat_gateway;
pub mod subnet;
pub mod vpc;

mod filters;
mod tagging;
