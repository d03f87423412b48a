//! A function. <https://docs.aws.amazon.com/lambda/latest/dg/lambda-functions.html>
//!
//! Its code is a zip that is sent with the call, known by its digest. Lambda takes one change of code or configuration at
//! a time and answers before it is done, so an update sends one of them; what still differs once the function has settled
//! is sent then.

mod observe;
mod write;

use std::collections::BTreeMap;

use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_engine::{Estimate, Field, LogicalId, Order, Outputs, Owner, Rules};

use super::permission::{self, Permission};
use super::{arn, prefix, tagging};
use crate::aws::call::{Aws, CallError};
use crate::aws::iam::role::RoleArn;
use crate::aws::kind::{
    Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Obstacle, Query, TAGGED_WITH_THIS_STACK,
};
use crate::aws::logs::log_group::LogGroupName;
use crate::aws::out::{Handle, Out, Text};
use crate::aws::tags::Tags;
use crate::aws::units::Seconds;

/// A function whose code is one program for Linux.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// Its name, which begins with the stack's.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// What it may do, trusted by `lambda.amazonaws.com`.
    pub role: Out<RoleArn>,
    /// What runs the code: `provided.al2023` for a program that brings all it needs.
    pub runtime: String,
    /// What the runtime is told to run.
    pub handler: String,
    /// The processors that the code is built for: `arm64` or `x86_64`.
    pub architecture: String,
    /// The digest of the zip with the code, as [`super::package::Package::digest`] has it. Empty where the code is not
    /// at hand: whatever the function has is right then.
    pub code: String,
    /// How long one invocation may take: up to 15 minutes.
    pub timeout: Seconds,
    /// How much memory it has, in MiB; its processor time grows with that.
    pub memory: i32,
    /// Its environment variables.
    pub env: BTreeMap<String, Text>,
    /// `Active`, or `PassThrough` where whoever calls decides what is traced.
    pub tracing: String,
    /// What it logs to.
    pub log_group: Out<LogGroupName>,
    /// `JSON` or `Text`: what Lambda itself logs.
    pub log_format: String,
    /// How many invocations may run at once, kept free for it; none: as many as the account has left.
    pub concurrency: Option<i32>,
    /// What becomes of asynchronous invocations; none: Lambda's defaults.
    pub invocations: Option<Invocations>,
    /// Which services may invoke it, by statement id; nobody else may.
    pub permissions: BTreeMap<String, Permission>,
    /// The user's tags.
    pub tags: Tags,
}

/// What becomes of asynchronous invocations that fail.
/// <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-configuring.html>
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invocations {
    /// How often one is tried again: up to twice.
    pub retries: i32,
    /// How long it may wait to be tried: up to six hours.
    pub max_age: Seconds,
    /// The ARN of a queue, topic or function that gets what could not be done at all.
    pub on_failure: Option<Text>,
}

/// Marks the ARN of a function.
#[derive(Debug)]
pub enum FunctionArn {}
/// Marks the name of a function.
#[derive(Debug)]
pub enum FunctionName {}

impl Handle<Function> {
    /// The function's ARN.
    #[must_use]
    pub fn arn(&self) -> Out<FunctionArn> {
        self.output("arn")
    }

    /// The function's name.
    #[must_use]
    pub fn name(&self) -> Out<FunctionName> {
        self.output("name")
    }
}

/// So many of an account's concurrent executions cannot be reserved.
const KEPT_UNRESERVED: i32 = 100;

impl Kind for Function {
    const RULES: &'static Rules = &Rules {
        kind: "lambda.function",
        fields: &[
            Field::new("name").replaces(),
            Field::new("description"),
            Field::new("role"),
            Field::new("runtime"),
            Field::new("handler"),
            Field::new("architecture"),
            Field::new("code"),
            Field::new("timeout"),
            Field::new("memory"),
            Field::new("env"),
            Field::new("tracing"),
            Field::new("log_group"),
            Field::new("log_format"),
            Field::new("concurrency").set_once_ready(),
            Field::new("invocations").set_once_ready(),
            Field::new("permissions").set_once_ready(),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        order: Order::DeleteFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(5),
        estimate: Estimate::seconds(10, 8, 2),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let wanted = query.by_name(|function| &function.name);
        let names: Vec<String> = match query.only_physical() {
            Some(name) => vec![name.to_owned()],
            None if query.only.is_some() && !wanted.is_empty() => {
                wanted.keys().map(|name| (*name).to_owned()).collect()
            }
            None => list(aws).await?,
        };
        let found = names.iter().map(|name| observe::observe(aws, query, name));
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    /// What a function reserves is taken from what the account has, of which Lambda keeps some for the others.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html>
    async fn obstacles(aws: &Aws, new: &BTreeMap<LogicalId, Self>) -> Result<Vec<Obstacle>, CallError> {
        let reserving = new.iter().filter_map(|(id, function)| Some((id, function.concurrency.filter(|n| *n > 0)?)));
        let reserving: Vec<_> = reserving.collect();
        let Some((first, _)) = reserving.first() else { return Ok(Vec::new()) };
        let send = || aws.lambda.get_account_settings().send();
        let answer = aws.call("lambda:GetAccountSettings", "", send).await?;
        let Some(limit) = answer.account_limit() else { return Ok(Vec::new()) };
        let wanted: i32 = reserving.iter().map(|(_, concurrency)| concurrency).sum();
        let (all, free) = (limit.concurrent_executions(), limit.unreserved_concurrent_executions().unwrap_or_default());
        if free - wanted >= all.min(KEPT_UNRESERVED) {
            return Ok(Vec::new());
        }
        let why = format!(
            "the stack's functions reserve {wanted} concurrent executions, and of the account's {all} in {} only {free} \
             are unreserved, of which Lambda keeps {} for functions without a reservation: raise the quota \
             \"Concurrent executions\" (L-B99A9384) in Service Quotas",
            aws.scope.region,
            all.min(KEPT_UNRESERVED)
        );
        Ok(vec![Obstacle { id: (*first).clone(), why }])
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        if !self.name.starts_with(&prefix(new.stack)) {
            let what = format!("function {} would not be found again", self.name);
            return Err(CallError::invalid(what, format!("let its name begin with `{}`", prefix(new.stack))));
        }
        let create = write::creation(self, aws, &new.tags(&self.tags))?;
        aws.call("lambda:CreateFunction", &self.name, || create.clone().send()).await?;
        Ok(Made { physical: self.name.clone(), outputs: None })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        let name = &now.physical;
        if changed.has("tags") {
            tagging::change(aws, &function_arn(aws, name), &now.inputs.tags, &self.tags).await?;
        }
        if changed.has("concurrency") {
            write::concurrency(aws, name, self.concurrency).await?;
        }
        if changed.has("invocations") {
            write::invocations(aws, name, self.invocations.as_ref()).await?;
        }
        if changed.has("permissions") {
            permission::change(aws, name, &now.inputs.permissions, &self.permissions).await?;
        }
        if changed.any(&["code", "architecture"]) {
            write::code(self, aws, name).await?;
        } else if changed.any(write::CONFIGURATION) {
            write::configuration(self, aws, name).await?;
        } else {
            return Ok(Some(now.outputs.clone()));
        }
        Ok(None)
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let send = || aws.lambda.delete_function().function_name(&now.physical).send();
        aws.call("lambda:DeleteFunction", &now.physical, send).await?;
        Ok(Gone::Now)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &function_arn(aws, &now.physical), identity).await
    }

    fn grants() -> Vec<Grant> {
        const FUNCTIONS: &[&str] = &["arn:{partition}:lambda:{region}:{account}:function:{stack}-*"];
        const ROLES: &[&str] = &["arn:{partition}:iam::{account}:role/wharf/{stack}/*"];
        const TO_LAMBDA: &[(&str, &str, &str)] = &[("StringEquals", "iam:PassedToService", "lambda.amazonaws.com")];
        vec![
            // What lists the tags shows them with the function.
            Grant::read(&[
                "lambda:GetAccountSettings",
                "lambda:GetFunction",
                "lambda:GetFunctionEventInvokeConfig",
                "lambda:GetPolicy",
                "lambda:ListFunctions",
                "lambda:ListTags",
            ]),
            Grant::write(&["lambda:CreateFunction", "lambda:TagResource"], FUNCTIONS).when(TAGGED_WITH_THIS_STACK),
            Grant::write(write::ACTIONS, FUNCTIONS).when(OF_THIS_STACK),
            Grant::write(&["iam:PassRole"], ROLES).when(TO_LAMBDA),
        ]
    }
}

fn function_arn(aws: &Aws, name: &str) -> String {
    arn(aws, &format!("function:{name}"))
}

/// The names of the functions that begin with the stack's.
async fn list(aws: &Aws) -> Result<Vec<String>, CallError> {
    let send = |marker| aws.lambda.list_functions().set_marker(marker).send();
    let functions =
        aws.pages("lambda:ListFunctions", "", send, |page| (page.functions.unwrap_or_default(), page.next_marker));
    let prefix = prefix(&aws.scope.stack);
    let names = functions.await?.into_iter().filter_map(|function| function.function_name);
    Ok(names.filter(|name| name.starts_with(&prefix)).collect())
}
