//! A dashboard.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Dashboards.html>

use aws_sdk_cloudwatch::types::DashboardEntry;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_engine::{Class, Compare, Estimate, Field, Health, Identity, Order, Outputs, Owner, Rules, Value};

use super::tagging;
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::out::{Handle, Out, Text};
use crate::aws::policy;
use crate::aws::tags::{self, Tags};

/// A dashboard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dashboard {
    /// Its name, which begins with the stack's: letters, digits, `-` and `_`.
    pub name: String,
    /// Its body, a JSON document.
    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html>
    pub body: Text,
    /// The user's tags.
    pub tags: Tags,
}

/// Marks the name of a dashboard.
#[derive(Debug)]
pub enum DashboardName {}
/// Marks the ARN of a dashboard.
#[derive(Debug)]
pub enum DashboardArn {}

impl Handle<Dashboard> {
    /// The dashboard's name.
    #[must_use]
    pub fn name(&self) -> Out<DashboardName> {
        self.output("name")
    }

    /// The dashboard's ARN.
    #[must_use]
    pub fn arn(&self) -> Out<DashboardArn> {
        self.output("arn")
    }
}

impl Kind for Dashboard {
    const RULES: &'static Rules = &Rules {
        kind: "cloudwatch.dashboard",
        fields: &[
            Field::new("name").replaces(),
            Field::new("body").compared(Compare::Document),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::DeleteFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(15),
        estimate: Estimate::seconds(1, 1, 1),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let prefix = query.only_physical().unwrap_or(&aws.scope.stack);
        let send = |token| aws.cloudwatch.list_dashboards().dashboard_name_prefix(prefix).set_next_token(token).send();
        let entries = aws.pages("cloudwatch:ListDashboards", "", send, |page| {
            (page.dashboard_entries.unwrap_or_default(), page.next_token)
        });
        let entries = entries.await?;
        let fits =
            |entry: &&DashboardEntry| query.only_physical().is_none_or(|name| entry.dashboard_name() == Some(name));
        let found = entries.iter().filter(fits).map(|entry| observe(aws, query, entry));
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        if !self.name.starts_with(new.stack) {
            let what = format!("dashboard {} would not be found again", self.name);
            return Err(CallError::invalid(what, format!("let its name begin with `{}`", new.stack)));
        }
        self.put(aws, Some(&new.tags(&self.tags))).await?;
        Ok(Made { physical: self.name.clone(), outputs: Some(outputs(aws, &self.name)) })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        if changed.has("body") {
            self.put(aws, None).await?;
        }
        if changed.has("tags") {
            tagging::change(aws, &arn(aws, &now.physical), &now.inputs.tags, &self.tags).await?;
        }
        Ok(Some(now.outputs.clone()))
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let send = || aws.cloudwatch.delete_dashboards().dashboard_names(&now.physical).send();
        match aws.call("cloudwatch:DeleteDashboards", &now.physical, send).await {
            Err(error) if error.class == Class::Missing => Ok(Gone::Now),
            answer => answer.map(|_| Gone::Now),
        }
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &arn(aws, &now.physical), identity).await
    }

    fn grants() -> Vec<Grant> {
        const OURS: &[&str] = &["arn:{partition}:cloudwatch::{account}:dashboard/{stack}*"];
        const PUT: &[&str] = &["cloudwatch:PutDashboard", "cloudwatch:TagResource"];
        const CHANGES: &[&str] = &[
            "cloudwatch:DeleteDashboards",
            "cloudwatch:PutDashboard",
            "cloudwatch:TagResource",
            "cloudwatch:UntagResource",
        ];
        let own = [
            Grant::read(&["cloudwatch:GetDashboard", "cloudwatch:ListDashboards"]),
            Grant::write(PUT, OURS).when(TAGGED_WITH_THIS_STACK),
            Grant::write(CHANGES, OURS).when(OF_THIS_STACK),
        ];
        own.into_iter().chain(tagging::READS).collect()
    }
}

impl Dashboard {
    /// Writes the dashboard; tags only when it is new.
    async fn put(&self, aws: &Aws, tags: Option<&Tags>) -> Result<(), CallError> {
        let put = aws.cloudwatch.put_dashboard().dashboard_name(&self.name).dashboard_body(self.body.get()?);
        let put = put.set_tags(tags.map(tagging::to_sdk));
        aws.call("cloudwatch:PutDashboard", &self.name, || put.clone().send()).await.map(drop)
    }
}

async fn observe(
    aws: &Aws,
    query: &Query<Dashboard>,
    entry: &DashboardEntry,
) -> Result<Option<Found<Dashboard>>, CallError> {
    let Some(name) = entry.dashboard_name() else { return Ok(None) };
    let arn = arn(aws, name);
    let send = || aws.cloudwatch.get_dashboard().dashboard_name(name).send();
    let body = async {
        match aws.call("cloudwatch:GetDashboard", name, send).await {
            Err(error) if error.class == Class::Missing => Ok(None),
            answer => Ok(answer?.dashboard_body),
        }
    };
    let tags = tagging::list(aws, query, &arn, |wanted: &Dashboard| &wanted.tags);
    let (Some(body), Some(all)) = futures::try_join!(body, tags)? else { return Ok(None) };
    let foreign = || {
        let wants = query.wanted.iter().find(|(_, wanted)| wanted.name == name);
        wants.map(|(id, _)| (id.clone(), Identity::Foreign))
    };
    let Some((id, identity)) = tags::read(&aws.scope.stack, &all).or_else(foreign) else { return Ok(None) };
    Ok(Some(Found {
        id,
        physical: name.to_owned(),
        identity,
        health: Health::Ready,
        inputs: Dashboard { name: name.to_owned(), body: policy::observed(&body)?, tags: tags::user(&all) },
        outputs: outputs(aws, name),
        blockers: Default::default(),
    }))
}

/// A dashboard belongs to no region.
fn arn(aws: &Aws, name: &str) -> String {
    format!("arn:{}:cloudwatch::{}:dashboard/{name}", aws.scope.partition, aws.scope.account)
}

fn outputs(aws: &Aws, name: &str) -> Outputs {
    Outputs::from([("name".to_owned(), Value::text(name)), ("arn".to_owned(), Value::text(arn(aws, name)))])
}
