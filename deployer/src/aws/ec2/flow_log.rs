//! A VPC's flow log into a log group. <https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-cwl.html>

use aws_sdk_ec2::types::{FlowLog as Sdk, FlowLogsResourceType, LogDestinationType, ResourceType, TrafficType};
use serde::{Deserialize, Serialize};
use wharf_engine::{Estimate, Field, Health, Order, Outputs, Owner, Rules, Value};

use super::vpc::VpcId;
use super::{filters, tagging};
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::out::{Handle, Out, Text};
use crate::aws::tags::Tags;

/// A flow log. AWS changes nothing of one but its tags.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowLog {
    /// The VPC whose traffic it records.
    pub vpc: Out<VpcId>,
    /// The log group, by name.
    pub log_group: Text,
    /// The ARN of the role by which it writes.
    pub role: Text,
    /// Which traffic it records.
    pub traffic: Traffic,
    /// What a line has; [`FORMAT`] is what AWS writes when nothing is said.
    pub format: String,
    /// How long packets are added up before a line is written.
    pub interval: Interval,
    /// The user's tags.
    pub tags: Tags,
}

/// The default format.
pub const FORMAT: &str = "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} \
                          ${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status}";

/// Which traffic a flow log records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Traffic {
    /// What security groups and network ACLs let through.
    Accepted,
    /// What they do not.
    Rejected,
    /// Both.
    All,
}

/// The two intervals that AWS offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interval {
    /// 60 seconds.
    OneMinute,
    /// 600 seconds.
    TenMinutes,
}

/// Marks the id of a flow log.
#[derive(Debug)]
pub enum FlowLogId {}

impl Handle<FlowLog> {
    /// The flow log's id.
    #[must_use]
    pub fn id(&self) -> Out<FlowLogId> {
        self.output("id")
    }
}

impl Kind for FlowLog {
    const RULES: &'static Rules = &Rules {
        kind: "ec2.flow-log",
        fields: &[
            Field::new("vpc").replaces(),
            Field::new("log_group").replaces(),
            Field::new("role").replaces(),
            Field::new("traffic").replaces(),
            Field::new("format").replaces(),
            Field::new("interval").replaces(),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        // AWS refuses a second one of the same VPC into the same group.
        order: Order::DeleteFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(2, 1, 1),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let filters = filters::of(aws, query);
        let send = |token| aws.ec2.describe_flow_logs().set_filter(Some(filters.clone())).set_next_token(token).send();
        let logs =
            aws.pages("ec2:DescribeFlowLogs", "", send, |page| (page.flow_logs.unwrap_or_default(), page.next_token));
        Ok(logs.await?.iter().filter_map(|log| observe(aws, log)).collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "ec2:CreateFlowLogs";
        let tags = tagging::specification(new, ResourceType::VpcFlowLog, &self.tags);
        let call = aws.ec2.create_flow_logs().client_token(new.token).tag_specifications(tags);
        let call = call.resource_type(FlowLogsResourceType::Vpc).resource_ids(self.vpc.get()?);
        let call = call.log_destination_type(LogDestinationType::CloudWatchLogs);
        let call = call.log_group_name(self.log_group.get()?).deliver_logs_permission_arn(self.role.get()?);
        let call = call.traffic_type(self.traffic.sdk()).log_format(&self.format);
        let call = call.max_aggregation_interval(self.interval.seconds());
        let answer = aws.call(ACTION, new.id.as_str(), || call.clone().send()).await?;
        // It answers 200 also when it has made none.
        if let Some(error) = answer.unsuccessful().first().and_then(|item| item.error()) {
            return Err(CallError::of_item(ACTION, new.id.as_str(), error.code(), error.message()));
        }
        let id = answer.flow_log_ids().first().ok_or_else(|| CallError::lacks(ACTION, "FlowLogId"))?;
        Ok(Made { outputs: Some(outputs(id)), physical: id.clone() })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        if changed.has("tags") {
            tagging::change(aws, &now.physical, &now.inputs.tags, &self.tags).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        const ACTION: &str = "ec2:DeleteFlowLogs";
        let send = || aws.ec2.delete_flow_logs().flow_log_ids(&now.physical).send();
        let answer = aws.call(ACTION, &now.physical, send).await?;
        if let Some(error) = answer.unsuccessful().first().and_then(|item| item.error()) {
            return Err(CallError::of_item(ACTION, &now.physical, error.code(), error.message()));
        }
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &now.physical, identity).await
    }

    fn grants() -> Vec<Grant> {
        const LOG: &[&str] = &["arn:{partition}:ec2:{region}:{account}:vpc-flow-log/*"];
        const VPC: &[&str] = &["arn:{partition}:ec2:{region}:{account}:vpc/*"];
        const ROLE: &[&str] = &["arn:{partition}:iam::{account}:role/wharf/{stack}/*"];
        const TO_FLOW_LOGS: &[(&str, &str, &str)] =
            &[("StringEquals", "iam:PassedToService", "vpc-flow-logs.amazonaws.com")];
        let own = [
            Grant::read(&["ec2:DescribeFlowLogs"]),
            Grant::write(&["ec2:CreateFlowLogs"], LOG).when(TAGGED_WITH_THIS_STACK),
            Grant::write(&["ec2:CreateFlowLogs"], VPC).when(OF_THIS_STACK),
            Grant::write(&["ec2:DeleteFlowLogs"], LOG).when(OF_THIS_STACK),
            Grant::write(&["iam:PassRole"], ROLE).when(TO_FLOW_LOGS),
        ];
        own.into_iter().chain(tagging::GRANTS).collect()
    }
}

impl Traffic {
    fn sdk(self) -> TrafficType {
        match self {
            Self::Accepted => TrafficType::Accept,
            Self::Rejected => TrafficType::Reject,
            Self::All => TrafficType::All,
        }
    }
}

impl Interval {
    fn seconds(self) -> i32 {
        match self {
            Self::OneMinute => 60,
            Self::TenMinutes => 600,
        }
    }
}

fn observe(aws: &Aws, log: &Sdk) -> Option<Found<FlowLog>> {
    let physical = log.flow_log_id()?;
    let (id, identity, tags) = tagging::identify(aws, log.tags())?;
    let inputs = FlowLog {
        vpc: Out::known(log.resource_id().unwrap_or_default()),
        log_group: Out::known(log.log_group_name().unwrap_or_default()),
        role: Out::known(log.deliver_logs_permission_arn().unwrap_or_default()),
        traffic: match log.traffic_type() {
            Some(TrafficType::Accept) => Traffic::Accepted,
            Some(TrafficType::Reject) => Traffic::Rejected,
            _ => Traffic::All,
        },
        format: log.log_format().unwrap_or(FORMAT).to_owned(),
        interval: match log.max_aggregation_interval() {
            Some(60) => Interval::OneMinute,
            _ => Interval::TenMinutes,
        },
        tags,
    };
    Some(Found {
        id,
        physical: physical.to_owned(),
        identity,
        health: Health::Ready,
        inputs,
        outputs: outputs(physical),
        blockers: Default::default(),
    })
}

fn outputs(id: &str) -> Outputs {
    Outputs::from([("id".to_owned(), Value::text(id))])
}
