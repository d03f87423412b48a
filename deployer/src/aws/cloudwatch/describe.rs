//! What alarms of both types share: how they are found, where they notify, what they are called.

use aws_sdk_cloudwatch::operation::describe_alarms::DescribeAlarmsOutput;
use aws_sdk_cloudwatch::operation::describe_alarms::builders::DescribeAlarmsFluentBuilder;
use aws_sdk_cloudwatch::types::AlarmType;
use wharf_engine::{Class, Outputs, Value};

use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Grant, Kind, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::out::Out;
use crate::aws::shared_reads::once;
use crate::aws::sns::topic::TopicArn;

/// The alarms of one type that a query is about: those whose names begin with the stack's. `take` takes them out
/// of an answer.
pub(super) async fn alarms<K: Kind, I>(
    aws: &Aws,
    query: &Query<K>,
    take: impl Fn(DescribeAlarmsOutput) -> Option<Vec<I>>,
) -> Result<Vec<I>, CallError> {
    let answers = match query.only_physical() {
        Some(name) => pages(aws, |describe| describe.alarm_names(name)).await?,
        None => {
            let all = pages(aws, |describe| describe.alarm_name_prefix(prefix(&aws.scope.stack)));
            once(aws, "alarms", all).await?
        }
    };
    Ok(answers.into_iter().filter_map(take).flatten().collect())
}

/// Unless asked for, AWS tells of no composite alarms.
async fn pages(
    aws: &Aws,
    of: impl Fn(DescribeAlarmsFluentBuilder) -> DescribeAlarmsFluentBuilder,
) -> Result<Vec<DescribeAlarmsOutput>, CallError> {
    let types = [AlarmType::MetricAlarm, AlarmType::CompositeAlarm];
    let describe = || of(aws.cloudwatch.describe_alarms().set_alarm_types(Some(types.to_vec())).max_records(100));
    let page = |page: DescribeAlarmsOutput| {
        let next = page.next_token.clone();
        (vec![page], next)
    };
    aws.pages("cloudwatch:DescribeAlarms", "", |token| describe().set_next_token(token).send(), page).await
}

/// What the names of a stack's alarms begin with: CloudWatch lists alarms by that, not by tags.
fn prefix(stack: &str) -> String {
    format!("{stack}-")
}

/// A name under which the alarm will be found again.
pub(super) fn named<'a>(name: &'a str, new: &New<'_>) -> Result<&'a str, CallError> {
    let prefix = prefix(new.stack);
    match name.starts_with(&prefix) {
        true => Ok(name),
        false => {
            let what = format!("alarm {name} would not be found again");
            Err(CallError::invalid(what, format!("let its name begin with `{prefix}`")))
        }
    }
}

pub(super) fn arn(aws: &Aws, name: &str) -> String {
    let scope = &aws.scope;
    format!("arn:{}:cloudwatch:{}:{}:alarm:{name}", scope.partition, scope.region, scope.account)
}

pub(super) fn outputs(aws: &Aws, name: &str) -> Outputs {
    Outputs::from([("name".to_owned(), Value::text(name)), ("arn".to_owned(), Value::text(arn(aws, name)))])
}

/// Topics as a call wants them.
pub(super) fn topics(topics: &[Out<TopicArn>]) -> Result<Vec<String>, CallError> {
    topics.iter().map(|topic| Ok(topic.get()?.to_owned())).collect()
}

/// Topics as an answer has them.
pub(super) fn actions(arns: &[String]) -> Vec<Out<TopicArn>> {
    arns.iter().map(Out::known).collect()
}

/// Deletes an alarm; one that is gone is as it should be.
pub(super) async fn delete(aws: &Aws, name: &str) -> Result<(), CallError> {
    let send = || aws.cloudwatch.delete_alarms().alarm_names(name).send();
    match aws.call("cloudwatch:DeleteAlarms", name, send).await {
        Err(error) if error.class == Class::Missing => Ok(()),
        answer => answer.map(drop),
    }
}

/// What an alarm needs; `put` is the call that writes its type.
pub(super) fn grants(put: &'static [&'static str]) -> Vec<Grant> {
    const ALARMS: &[&str] = &["arn:{partition}:cloudwatch:{region}:{account}:alarm:{stack}-*"];
    const CHANGES: &[&str] = &["cloudwatch:DeleteAlarms", "cloudwatch:TagResource", "cloudwatch:UntagResource"];
    let own = [
        Grant::read(&["cloudwatch:DescribeAlarms"]),
        Grant::write(put, ALARMS).when(TAGGED_WITH_THIS_STACK),
        Grant::write(put, ALARMS).when(OF_THIS_STACK),
        Grant::write(&["cloudwatch:TagResource"], ALARMS).when(TAGGED_WITH_THIS_STACK),
        Grant::write(CHANGES, ALARMS).when(OF_THIS_STACK),
    ];
    own.into_iter().chain(super::tagging::READS).collect()
}
