//! EC2 and VPC.

pub mod default_security_group;
pub mod elastic_ip;
pub mod flow_log;
pub mod internet_gateway;
pub mod launch_template;
pub mod nat_gateway;
pub mod route_table;
pub mod rules;
pub mod security_group;
pub mod subnet;
pub mod vpc;
pub mod vpc_endpoint;

mod filters;
pub mod foreign;
mod tagging;

#[cfg(test)]
mod tests;
