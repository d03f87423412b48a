//! An alarm on other alarms.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-combining.html>

use aws_sdk_cloudwatch::types::CompositeAlarm as Sdk;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_engine::{Compare, Estimate, Field, Health, Identity, Order, Outputs, Owner, Rules};

use super::alarm::{AlarmArn, AlarmName};
use super::{describe, tagging};
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, Query};
use crate::aws::out::{Handle, Out};
use crate::aws::sns::topic::TopicArn;
use crate::aws::tags::{self, Tags};

/// An alarm that goes off when others do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompositeAlarm {
    /// Its name, which begins with the stack's.
    pub name: String,
    /// What it means and what to do about it, for whoever it wakes.
    pub description: String,
    /// It goes off when any of these does …
    pub any: Vec<Out<AlarmName>>,
    /// … and none of these does.
    pub unless: Vec<Out<AlarmName>>,
    /// Whether it notifies at all.
    pub actions_enabled: bool,
    /// Whom it tells that it went off.
    pub on_alarm: Vec<Out<TopicArn>>,
    /// Whom it tells that all is well again.
    pub on_ok: Vec<Out<TopicArn>>,
    /// Whom it tells that there is no data.
    pub on_no_data: Vec<Out<TopicArn>>,
    /// The user's tags.
    pub tags: Tags,
}

impl Handle<CompositeAlarm> {
    /// The alarm's name, which another composite alarm can look at.
    #[must_use]
    pub fn name(&self) -> Out<AlarmName> {
        self.output("name")
    }

    /// The alarm's ARN.
    #[must_use]
    pub fn arn(&self) -> Out<AlarmArn> {
        self.output("arn")
    }
}

impl Kind for CompositeAlarm {
    const RULES: &'static Rules = &Rules {
        kind: "cloudwatch.composite-alarm",
        fields: &[
            Field::new("name").replaces(),
            Field::new("description"),
            Field::new("any").compared(Compare::Set),
            Field::new("unless").compared(Compare::Set),
            Field::new("actions_enabled"),
            Field::new("on_alarm").compared(Compare::Set),
            Field::new("on_ok").compared(Compare::Set),
            Field::new("on_no_data").compared(Compare::Set),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::DeleteFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(1, 1, 1),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let alarms = describe::alarms(aws, query, |page| page.composite_alarms).await?;
        let found = alarms.iter().map(|alarm| observe(aws, query, alarm));
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        let name = describe::named(&self.name, new)?;
        self.put(aws, Some(&new.tags(&self.tags))).await?;
        Ok(Made { physical: name.to_owned(), outputs: Some(describe::outputs(aws, name)) })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        if changed.0.iter().any(|field| field != "tags") {
            self.put(aws, None).await?;
        }
        if changed.has("tags") {
            tagging::change(aws, &describe::arn(aws, &now.physical), &now.inputs.tags, &self.tags).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        describe::delete(aws, &now.physical).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &describe::arn(aws, &now.physical), identity).await
    }

    fn grants() -> Vec<Grant> {
        describe::grants(&["cloudwatch:PutCompositeAlarm"])
    }
}

impl CompositeAlarm {
    /// Writes the whole alarm; tags only when it is new.
    async fn put(&self, aws: &Aws, tags: Option<&Tags>) -> Result<(), CallError> {
        let put = aws
            .cloudwatch
            .put_composite_alarm()
            .alarm_name(&self.name)
            .alarm_description(&self.description)
            .alarm_rule(rule(&names(&self.any)?, &names(&self.unless)?))
            .actions_enabled(self.actions_enabled)
            .set_alarm_actions(Some(describe::topics(&self.on_alarm)?))
            .set_ok_actions(Some(describe::topics(&self.on_ok)?))
            .set_insufficient_data_actions(Some(describe::topics(&self.on_no_data)?))
            .set_tags(tags.map(tagging::to_sdk));
        aws.call("cloudwatch:PutCompositeAlarm", &self.name, || put.clone().send()).await.map(drop)
    }
}

fn names(alarms: &[Out<AlarmName>]) -> Result<Vec<&str>, CallError> {
    alarms.iter().map(|alarm| Ok(alarm.get()?)).collect()
}

/// `(ALARM("a") OR ALARM("b")) AND NOT ALARM("c")`.
fn rule<T: std::fmt::Display>(any: &[T], unless: &[T]) -> String {
    let any: Vec<String> = any.iter().map(|name| format!("ALARM(\"{name}\")")).collect();
    let unless: String = unless.iter().map(|name| format!(" AND NOT ALARM(\"{name}\")")).collect();
    format!("({}){unless}", any.join(" OR "))
}

/// The alarms of a rule of that form; of any other the whole rule, which is no alarm's name and so differs.
fn observed(text: &str) -> (Vec<Out<AlarmName>>, Vec<Out<AlarmName>>) {
    let parse = || {
        // The first part ends where a name's bracket is followed by its own.
        let (any, unless) = text.strip_prefix('(')?.split_once("\"))")?;
        let name = |part: &str| Some(part.strip_prefix("ALARM(\"")?.trim_end_matches("\")").to_owned());
        let any: Vec<String> = any.split(" OR ").map(name).collect::<Option<_>>()?;
        let unless: Vec<String> = unless.split(" AND NOT ").skip(1).map(name).collect::<Option<_>>()?;
        let again = rule(&any, &unless);
        (again == text).then_some((any, unless))
    };
    let outs = |names: Vec<String>| names.into_iter().map(Out::known).collect();
    match parse() {
        Some((any, unless)) => (outs(any), outs(unless)),
        None => (vec![Out::known(text)], Vec::new()),
    }
}

async fn observe(
    aws: &Aws,
    query: &Query<CompositeAlarm>,
    alarm: &Sdk,
) -> Result<Option<Found<CompositeAlarm>>, CallError> {
    let Some(name) = alarm.alarm_name() else { return Ok(None) };
    let arn = describe::arn(aws, name);
    let tags = tagging::list(aws, query, &arn, |wanted: &CompositeAlarm| &wanted.tags);
    let Some(all) = tags.await? else { return Ok(None) };
    let foreign = || {
        let wants = query.wanted.iter().find(|(_, wanted)| wanted.name == name);
        wants.map(|(id, _)| (id.clone(), Identity::Foreign))
    };
    let Some((id, identity)) = tags::read(&aws.scope.stack, &all).or_else(foreign) else { return Ok(None) };
    let (any, unless) = observed(alarm.alarm_rule().unwrap_or_default());
    let inputs = CompositeAlarm {
        name: name.to_owned(),
        description: alarm.alarm_description().unwrap_or_default().to_owned(),
        any,
        unless,
        actions_enabled: alarm.actions_enabled().unwrap_or(true),
        on_alarm: describe::actions(alarm.alarm_actions()),
        on_ok: describe::actions(alarm.ok_actions()),
        on_no_data: describe::actions(alarm.insufficient_data_actions()),
        tags: tags::user(&all),
    };
    Ok(Some(Found {
        id,
        physical: name.to_owned(),
        identity,
        health: Health::Ready,
        inputs,
        outputs: describe::outputs(aws, name),
        blockers: Default::default(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_read_back_as_it_was_written() {
        for (any, unless) in [(vec!["a"], vec![]), (vec!["a", "b c"], vec!["d", "e"])] {
            let known = |names: &[&str]| names.iter().map(|name| Out::known(*name)).collect::<Vec<_>>();
            assert_eq!(observed(&rule(&any, &unless)), (known(&any), known(&unless)));
        }
        let strange = "ALARM(a) AND OK(b)";
        assert_eq!(observed(strange), (vec![Out::known(strange)], Vec::new()));
    }
}
