//! AWS: how it is called, and the resource kinds, one file each.

pub mod call;
mod classes;
pub mod connect;
pub mod erased;
pub mod kind;
mod limits;
pub mod out;
pub mod policy;
pub mod secret;
mod shared_reads;
mod tag_index;
pub mod tags;
#[cfg(test)]
mod testing;
pub mod units;

pub mod acm;
pub mod applicationautoscaling;
pub mod autoscaling;
pub mod cloudwatch;
pub mod dlm;
pub mod dynamodb;
pub mod ec2;
pub mod ecr;
pub mod ecs;
pub mod elbv2;
pub mod events;
pub mod iam;
pub mod kms;
pub mod lambda;
pub mod logs;
pub mod rds;
pub mod route53;
pub mod scheduler;
pub mod servicediscovery;
pub mod sns;
pub mod sqs;
pub mod ssm;

pub use call::{Aws, CallError, CallEvent, Clients, Lease, Observer, Scope};
pub use connect::{ConnectError, Connection, Options, connect};
pub use erased::{AnyKind, Only, Wanted};
pub use kind::{Changed, Found, Gone, Grant, Kind, Made, New, Obstacle, Query};
pub use out::{Handle, Out, Text};
pub use tags::Tags;

/// Every resource kind that Wharf knows. A new kind is its file and its line here.
#[must_use]
pub fn kinds() -> Vec<Box<dyn AnyKind>> {
    fn of<K: Kind>() -> Box<dyn AnyKind> {
        Box::new(erased::Erased::<K>::default())
    }
    vec![
        of::<dynamodb::table::Table>(),
        of::<iam::role::Role>(),
        of::<iam::instance_profile::InstanceProfile>(),
        of::<kms::key::Key>(),
        of::<kms::alias::Alias>(),
        of::<logs::log_group::LogGroup>(),
        of::<ssm::parameter::Parameter>(),
        of::<ssm::secret::SecretParameter>(),
        of::<ec2::vpc::Vpc>(),
        of::<ec2::subnet::Subnet>(),
        of::<ec2::internet_gateway::InternetGateway>(),
        of::<ec2::elastic_ip::ElasticIp>(),
        of::<ec2::nat_gateway::NatGateway>(),
        of::<ec2::route_table::RouteTable>(),
        of::<ec2::security_group::SecurityGroup>(),
        of::<ec2::default_security_group::DefaultSecurityGroup>(),
        of::<ec2::vpc_endpoint::VpcEndpoint>(),
        of::<ec2::flow_log::FlowLog>(),
        of::<ec2::launch_template::LaunchTemplate>(),
        of::<autoscaling::group::AutoScalingGroup>(),
        of::<autoscaling::size::GroupSize>(),
        of::<rds::subnet_group::SubnetGroup>(),
        of::<rds::parameter_group::ParameterGroup>(),
        of::<rds::instance::Instance>(),
        of::<ecr::repository::Repository>(),
        of::<sqs::queue::Queue>(),
        of::<lambda::function::Function>(),
        of::<lambda::event_source_mapping::EventSourceMapping>(),
        of::<events::rule::Rule>(),
        of::<sns::topic::Topic>(),
        of::<sns::subscription::Subscription>(),
        of::<cloudwatch::alarm::Alarm>(),
        of::<cloudwatch::composite_alarm::CompositeAlarm>(),
        of::<cloudwatch::dashboard::Dashboard>(),
        of::<dlm::policy::Policy>(),
        of::<servicediscovery::namespace::Namespace>(),
        of::<servicediscovery::service::DiscoveryService>(),
        of::<ecs::cluster::Cluster>(),
        of::<ecs::capacity_provider::CapacityProvider>(),
        of::<ecs::cluster_capacity_providers::ClusterCapacityProviders>(),
        of::<ecs::task_definition::TaskDefinition>(),
        of::<ecs::service::Service>(),
        of::<applicationautoscaling::target::ScalableTarget>(),
        of::<applicationautoscaling::policy::ScalingPolicy>(),
        of::<scheduler::group::ScheduleGroup>(),
        of::<scheduler::schedule::Schedule>(),
        of::<elbv2::load_balancer::LoadBalancer>(),
        of::<elbv2::target_group::TargetGroup>(),
        of::<elbv2::listener::Listener>(),
        of::<elbv2::listener_rule::ListenerRule>(),
        of::<acm::certificate::Certificate>(),
        of::<acm::issued::IssuedCertificate>(),
        of::<route53::zone::Zone>(),
        of::<route53::record::Record>(),
    ]
}
