//! The way to an account: credentials, region, endpoint, and the account's own word for who it is.

use std::sync::Arc;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_sdk_ec2::types::{AvailabilityZone, AvailabilityZoneState, Filter};
use aws_sdk_ecs::types::SettingName;
use aws_sdk_route53::types::HostedZone as SdkZone;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_types::service_config::ServiceConfigKey;

use crate::platform::{HostedZone, Site};

use super::call::{Aws, CallError, Clients, Observer, Scope};
use super::lambda::package::Packages;
use super::route53::delegation::Names;
use super::route53::public_dns::PublicDns;

/// How to reach AWS. What is unset comes from the ordinary chain: environment, profile, SSO, instance or task role;
/// `AWS_ENDPOINT_URL_<SERVICE>` is honoured.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The region; `[stack] region`.
    pub region: String,
    /// A profile of `~/.aws/config`.
    pub profile: Option<String>,
    /// One endpoint for all services.
    pub endpoint_url: Option<String>,
    /// The Route 53 zone that the stack file names: it is looked for meanwhile.
    pub zone: Option<String>,
    /// Whether the stack relies on `awsvpcTrunking`: whether it is on is looked at meanwhile.
    pub trunking: bool,
    /// Another transport, with credentials of its own: the sandbox's.
    pub transport: Option<SharedHttpClient>,
    /// Who says who answers for a domain; unset is the domain name system where AWS itself is called, and nobody where
    /// something else stands in for AWS.
    pub names: Option<Arc<dyn Names>>,
    /// The code that the stack's functions are made of, as far as it is at hand.
    pub packages: Arc<Packages>,
}

/// A way to an account whose identity is known.
#[derive(Clone, Debug)]
pub struct Connection {
    clients: Clients,
    names: Option<Arc<dyn Names>>,
    packages: Arc<Packages>,
    /// The account's twelve digits.
    pub account: String,
    /// The caller's ARN.
    pub caller: String,
    /// The region.
    pub region: String,
    /// `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: String,
    /// The availability zones that are open to the account in the region, sorted.
    pub zones: Vec<String>,
    /// The zone that was asked for, when the account has it.
    pub zone: Option<HostedZone>,
    /// Whether `awsvpcTrunking` is on, when that was asked for.
    pub trunking: bool,
    /// Something else stands in for AWS.
    pub stood_in_for: bool,
}

/// No way to an account.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The first call, which asks who the caller is, failed.
    #[error("cannot tell which account this is")]
    Identity(#[source] CallError),
    /// The region's zones are not to be had.
    #[error("cannot tell which availability zones the region has")]
    Zones(#[source] CallError),
    /// Whether there is the hosted zone is not to be had.
    #[error("cannot tell whether the account has the hosted zone {0}")]
    Zone(String, #[source] CallError),
    /// Whether an account setting is on is not to be had.
    #[error("cannot tell whether the account setting awsvpcTrunking is on")]
    Trunking(#[source] CallError),
}

/// A call that is not answered within this is ambiguous. Shorter than the stack's lease.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(20);

/// Loads the configuration and asks AWS who the caller is: only that and the region's zones are asked before the
/// guards are checked.
///
/// # Errors
/// No credentials, no answer, or an answer that names no account.
pub async fn connect(options: &Options, observer: Observer) -> Result<Connection, ConnectError> {
    let config = load(options).await;
    let clients = clients(&config);
    let probe = Scope {
        stack: String::new(),
        region: options.region.clone(),
        account: String::new(),
        partition: "aws".to_owned(),
    };
    let aws = Aws::new(probe, clients.clone(), "connect", observer);
    const ACTION: &str = "sts:GetCallerIdentity";
    let identity = aws.call(ACTION, "", || aws.sts.get_caller_identity().send());
    let (identity, zones, zone) = tokio::join!(identity, zones(&aws), zone(&aws, options.zone.as_deref()));
    let identity = identity.map_err(ConnectError::Identity)?;
    let lacks = |field| ConnectError::Identity(CallError::lacks(ACTION, field));
    let account = identity.account().ok_or_else(|| lacks("Account"))?.to_owned();
    let caller = identity.arn().ok_or_else(|| lacks("Arn"))?.to_owned();
    let partition = caller.split(':').nth(1).unwrap_or("aws").to_owned();
    let zones = zones.map_err(ConnectError::Zones)?;
    let zone = zone.map_err(|error| ConnectError::Zone(options.zone.clone().unwrap_or_default(), error))?;
    let trunking = options.trunking && trunking(&aws, &account, &partition).await.map_err(ConnectError::Trunking)?;
    Ok(Connection {
        clients,
        names: names(options, &config),
        packages: Arc::clone(&options.packages),
        account,
        caller,
        region: options.region.clone(),
        partition,
        zones,
        zone,
        trunking,
        stood_in_for: stood_in_for(options, &config),
    })
}

/// The zones of the region that are open to the account: not every account has an `a`.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAvailabilityZones.html>
async fn zones(aws: &Aws) -> Result<Vec<String>, CallError> {
    let zone_type = Filter::builder().name("zone-type").values("availability-zone").build();
    let send = || aws.ec2.describe_availability_zones().filters(zone_type.clone()).send();
    let answer = aws.call("ec2:DescribeAvailabilityZones", "", send).await?;
    let open = |zone: &&AvailabilityZone| zone.state() == Some(&AvailabilityZoneState::Available);
    let mut names: Vec<_> =
        answer.availability_zones().iter().filter(open).filter_map(|zone| zone.zone_name.clone()).collect();
    names.sort();
    Ok(names)
}

/// The public zone of this name.
/// <https://docs.aws.amazon.com/Route53/latest/APIReference/API_ListHostedZonesByName.html>
async fn zone(aws: &Aws, name: Option<&str>) -> Result<Option<HostedZone>, CallError> {
    let Some(name) = name else { return Ok(None) };
    let send = || aws.route53.list_hosted_zones_by_name().dns_name(name).send();
    let answer = aws.call("route53:ListHostedZonesByName", name, send).await?;
    let public = |zone: &&SdkZone| !zone.config().is_some_and(|config| config.private_zone());
    let of_name = |zone: &&SdkZone| zone.name().trim_end_matches('.') == name;
    let zone = answer.hosted_zones().iter().filter(of_name).find(public);
    let id = |zone: &SdkZone| zone.id().trim_start_matches("/hostedzone/").to_owned();
    Ok(zone.map(|zone| HostedZone { id: id(zone), name: name.to_owned() }))
}

/// Whether instances of the account carry more tasks than they have interfaces. What counts is the setting of the
/// role with which an instance registers: the account's, unless somebody gave the role one of its own.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-eni.html>
async fn trunking(aws: &Aws, account: &str, partition: &str) -> Result<bool, CallError> {
    let root = format!("arn:{partition}:iam::{account}:root");
    let list = || aws.ecs.list_account_settings().name(SettingName::AwsvpcTrunking).effective_settings(true);
    let answer = aws.call("ecs:ListAccountSettings", &root, || list().principal_arn(&root).send()).await?;
    Ok(answer.settings().iter().any(|setting| setting.value() == Some("enabled")))
}

impl Connection {
    /// Where a stack would stand.
    #[must_use]
    pub fn site(&self) -> Site {
        Site {
            partition: self.partition.clone(),
            account: self.account.clone(),
            region: self.region.clone(),
            zones: self.zones.clone(),
            zone: self.zone.clone(),
            trunking: self.trunking,
            packages: Arc::clone(&self.packages),
        }
    }

    /// AWS as a run of this id on this stack sees it.
    #[must_use]
    pub fn scoped(&self, stack: &str, run: &str, observer: Observer) -> Aws {
        let scope = Scope {
            stack: stack.to_owned(),
            region: self.region.clone(),
            account: self.account.clone(),
            partition: self.partition.clone(),
        };
        Aws::new(scope, self.clients.clone(), run, observer)
            .with_names(self.names.clone())
            .with_packages(Arc::clone(&self.packages))
    }
}

/// The SDK's own retries are off: [`Aws::call`] is the one retry layer.
async fn load(options: &Options) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(CALL_TIMEOUT)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(options.region.clone()))
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts);
    if let Some(profile) = &options.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(url) = &options.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    if let Some(transport) = &options.transport {
        let sandbox = Credentials::new("AKIASANDBOX000000000", "sandbox", None, None, "sandbox");
        loader = loader.http_client(transport.clone()).credentials_provider(sandbox);
    }
    loader.load().await
}

/// Whether something else stands in for AWS, where the names of the domain name system lead.
fn stood_in_for(options: &Options, config: &SdkConfig) -> bool {
    let of_route53 = ServiceConfigKey::builder().service_id("Route 53").env("AWS_ENDPOINT_URL").profile("endpoint_url");
    let elsewhere = of_route53.build().ok().and_then(|key| config.service_config()?.load_config(key));
    options.transport.is_some() || config.endpoint_url().is_some() || elsewhere.is_some()
}

/// Who says who answers for a domain.
fn names(options: &Options, config: &SdkConfig) -> Option<Arc<dyn Names>> {
    let public = || (!stood_in_for(options, config)).then(|| Arc::new(PublicDns) as Arc<dyn Names>);
    options.names.clone().or_else(public)
}

fn clients(config: &SdkConfig) -> Clients {
    Clients {
        acm: aws_sdk_acm::Client::new(config),
        elb: aws_sdk_elasticloadbalancingv2::Client::new(config),
        route53: aws_sdk_route53::Client::new(config),
        ec2: aws_sdk_ec2::Client::new(config),
        rds: aws_sdk_rds::Client::new(config),
        ecr: aws_sdk_ecr::Client::new(config),
        iam: aws_sdk_iam::Client::new(config),
        kms: aws_sdk_kms::Client::new(config),
        ssm: aws_sdk_ssm::Client::new(config),
        autoscaling: aws_sdk_autoscaling::Client::new(config),
        logs: aws_sdk_cloudwatchlogs::Client::new(config),
        dynamodb: aws_sdk_dynamodb::Client::new(config),
        cloudwatch: aws_sdk_cloudwatch::Client::new(config),
        sns: aws_sdk_sns::Client::new(config),
        dlm: aws_sdk_dlm::Client::new(config),
        tagging: aws_sdk_resourcegroupstagging::Client::new(config),
        sts: aws_sdk_sts::Client::new(config),
        ecs: aws_sdk_ecs::Client::new(config),
        servicediscovery: aws_sdk_servicediscovery::Client::new(config),
        applicationautoscaling: aws_sdk_applicationautoscaling::Client::new(config),
        scheduler: aws_sdk_scheduler::Client::new(config),
        events: aws_sdk_eventbridge::Client::new(config),
        lambda: aws_sdk_lambda::Client::new(config),
        sqs: aws_sdk_sqs::Client::new(config),
    }
}
