//! What takes messages from a queue and hands them to a function, by the function's own role.
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>

use aws_sdk_lambda::types::{EventSourceMappingConfiguration as Sdk, FunctionResponseType, ScalingConfig};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use wharf_engine::{Class, Estimate, Field, Health, Order, Outputs, Owner, Rules, Value};

use super::function::FunctionArn;
use super::{arn, prefix, tagging};
use crate::aws::call::{Aws, CallError};
use crate::aws::kind::{Changed, Found, Gone, Grant, Kind, Made, New, OF_THIS_STACK, Query, TAGGED_WITH_THIS_STACK};
use crate::aws::out::{Handle, Out};
use crate::aws::sqs::queue::QueueArn;
use crate::aws::tag_index;
use crate::aws::tags::{self, Tags};
use crate::aws::units::Seconds;

/// An event source mapping of a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSourceMapping {
    /// Where the messages come from.
    pub queue: Out<QueueArn>,
    /// Who gets them.
    pub function: Out<FunctionArn>,
    /// Whether it does.
    pub enabled: bool,
    /// How many messages one invocation gets at most.
    pub batch: i32,
    /// How long it waits for a batch to be full.
    pub window: Seconds,
    /// The function says which messages of a batch failed, and only those come again.
    pub partial: bool,
    /// How many invocations run at once at most: 2 to 1000; none is no limit but the function's own.
    pub concurrency: Option<i32>,
    /// The user's tags.
    pub tags: Tags,
}

/// Marks the id of an event source mapping.
#[derive(Debug)]
pub enum MappingId {}

impl Handle<EventSourceMapping> {
    /// The mapping's id.
    #[must_use]
    pub fn id(&self) -> Out<MappingId> {
        self.output("id")
    }
}

impl Kind for EventSourceMapping {
    const RULES: &'static Rules = &Rules {
        kind: "lambda.event-source-mapping",
        fields: &[
            Field::new("queue").replaces(),
            Field::new("function").replaces(),
            Field::new("enabled"),
            Field::new("batch"),
            Field::new("window"),
            Field::new("partial"),
            Field::new("concurrency"),
            Field::new("tags").owned_by(Owner::Shared),
        ],
        // There is one of a queue and a function.
        order: Order::DeleteFirst,
        protected: false,
        visible_within: std::time::Duration::from_secs(10),
        estimate: Estimate::seconds(15, 10, 15),
    };

    async fn find(aws: &Aws, query: &Query<Self>) -> Result<Vec<Found<Self>>, CallError> {
        let mappings = match query.only_physical() {
            Some(id) => get(aws, id).await?.into_iter().collect(),
            None => list(aws).await?,
        };
        let found = mappings.iter().map(|mapping| observe(aws, query, mapping));
        Ok(try_join_all(found).await?.into_iter().flatten().collect())
    }

    async fn create(&self, aws: &Aws, new: &New<'_>) -> Result<Made, CallError> {
        const ACTION: &str = "lambda:CreateEventSourceMapping";
        let (queue, function) = (self.queue.get()?, self.function.get()?);
        let create = aws
            .lambda
            .create_event_source_mapping()
            .event_source_arn(queue)
            .function_name(function)
            .enabled(self.enabled)
            .batch_size(self.batch)
            .maximum_batching_window_in_seconds(self.window.0)
            .set_function_response_types(Some(self.responses()))
            .set_scaling_config(self.concurrency.map(|_| self.scaling()))
            .set_tags(Some(new.tags(&self.tags).into_iter().collect()));
        let answer = aws.call(ACTION, queue, || create.clone().send()).await?;
        let id = answer.uuid.ok_or_else(|| CallError::lacks(ACTION, "UUID"))?;
        Ok(Made { physical: id, outputs: None })
    }

    async fn update(&self, aws: &Aws, now: &Found<Self>, changed: &Changed) -> Result<Option<Outputs>, CallError> {
        let id = &now.physical;
        if changed.has("tags") {
            tagging::change(aws, &mapping_arn(aws, id), &now.inputs.tags, &self.tags).await?;
        }
        if !changed.any(&["enabled", "batch", "window", "partial", "concurrency"]) {
            return Ok(Some(now.outputs.clone()));
        }
        let update = aws
            .lambda
            .update_event_source_mapping()
            .uuid(id)
            .enabled(self.enabled)
            .batch_size(self.batch)
            .maximum_batching_window_in_seconds(self.window.0)
            .set_function_response_types(Some(self.responses()))
            .set_scaling_config(changed.has("concurrency").then(|| self.scaling()));
        aws.call("lambda:UpdateEventSourceMapping", id, || update.clone().send()).await?;
        Ok(None)
    }

    async fn delete(aws: &Aws, now: &Found<Self>) -> Result<Gone, CallError> {
        let send = || aws.lambda.delete_event_source_mapping().uuid(&now.physical).send();
        aws.call("lambda:DeleteEventSourceMapping", &now.physical, send).await?;
        Ok(Gone::Later)
    }

    async fn adopt(aws: &Aws, now: &Found<Self>, identity: &Tags) -> Result<(), CallError> {
        tagging::write(aws, &mapping_arn(aws, &now.physical), identity).await
    }

    fn grants() -> Vec<Grant> {
        const MAPPINGS: &[&str] = &["arn:{partition}:lambda:{region}:{account}:event-source-mapping:*"];
        const READS: &[&str] = &["lambda:GetEventSourceMapping", "lambda:ListEventSourceMappings", "lambda:ListTags"];
        /// Lambda knows a mapping by its function before it has tags.
        const OF_OUR_FUNCTIONS: &[(&str, &str, &str)] =
            &[("ArnLike", "lambda:FunctionArn", "arn:{partition}:lambda:{region}:{account}:function:{stack}-*")];
        const CHANGES: &[&str] = &["lambda:DeleteEventSourceMapping", "lambda:UpdateEventSourceMapping"];
        vec![
            Grant::read(READS),
            tag_index::GRANT,
            Grant::write(&["lambda:CreateEventSourceMapping"], &["*"]).when(OF_OUR_FUNCTIONS),
            Grant::write(CHANGES, MAPPINGS).when(OF_OUR_FUNCTIONS),
            Grant::write(&["lambda:TagResource"], MAPPINGS).when(TAGGED_WITH_THIS_STACK),
            Grant::write(&["lambda:TagResource", "lambda:UntagResource"], MAPPINGS).when(OF_THIS_STACK),
        ]
    }
}

impl EventSourceMapping {
    fn responses(&self) -> Vec<FunctionResponseType> {
        self.partial.then_some(FunctionResponseType::ReportBatchItemFailures).into_iter().collect()
    }

    /// An empty one lifts the limit.
    fn scaling(&self) -> ScalingConfig {
        ScalingConfig::builder().set_maximum_concurrency(self.concurrency).build()
    }
}

fn mapping_arn(aws: &Aws, id: &str) -> String {
    arn(aws, &format!("event-source-mapping:{id}"))
}

async fn get(aws: &Aws, id: &str) -> Result<Option<Sdk>, CallError> {
    let send = || aws.lambda.get_event_source_mapping().uuid(id).send();
    let answer = match aws.call("lambda:GetEventSourceMapping", id, send).await {
        Err(error) if error.class == Class::Missing => return Ok(None),
        answer => answer?,
    };
    let mapping = Sdk::builder()
        .set_uuid(answer.uuid)
        .set_event_source_arn(answer.event_source_arn)
        .set_function_arn(answer.function_arn)
        .set_state(answer.state)
        .set_batch_size(answer.batch_size)
        .set_maximum_batching_window_in_seconds(answer.maximum_batching_window_in_seconds)
        .set_function_response_types(answer.function_response_types)
        .set_scaling_config(answer.scaling_config);
    Ok(Some(mapping.build()))
}

/// The mappings to functions whose names begin with the stack's.
async fn list(aws: &Aws) -> Result<Vec<Sdk>, CallError> {
    let send = |marker| aws.lambda.list_event_source_mappings().set_marker(marker).send();
    let mappings = aws.pages("lambda:ListEventSourceMappings", "", send, |page| {
        (page.event_source_mappings.unwrap_or_default(), page.next_marker)
    });
    let ours = arn(aws, &format!("function:{}", prefix(&aws.scope.stack)));
    let mut mappings = mappings.await?;
    mappings.retain(|mapping| mapping.function_arn().is_some_and(|arn| arn.starts_with(&ours)));
    Ok(mappings)
}

async fn observe(
    aws: &Aws,
    query: &Query<EventSourceMapping>,
    mapping: &Sdk,
) -> Result<Option<Found<EventSourceMapping>>, CallError> {
    let (Some(uuid), Some(queue)) = (mapping.uuid(), mapping.event_source_arn()) else { return Ok(None) };
    let health = health(mapping.state().unwrap_or_default());
    if let Health::Settling(what) = &health
        && let Some(waiting) = query.at_work(what)
    {
        return Ok(Some(waiting));
    }
    let arn = mapping_arn(aws, uuid);
    let Some(all) = tagging::list(aws, query, &arn, |wanted: &EventSourceMapping| &wanted.tags).await? else {
        return Ok(None);
    };
    let Some((id, identity)) = tags::read(&aws.scope.stack, &all) else { return Ok(None) };
    let state = mapping.state().unwrap_or_default();
    let inputs = EventSourceMapping {
        queue: Out::known(queue),
        function: Out::known(mapping.function_arn().unwrap_or_default()),
        enabled: !matches!(state, "Disabled" | "Disabling"),
        batch: mapping.batch_size().unwrap_or(10),
        window: Seconds(mapping.maximum_batching_window_in_seconds().unwrap_or_default()),
        partial: mapping.function_response_types().contains(&FunctionResponseType::ReportBatchItemFailures),
        concurrency: mapping.scaling_config().and_then(|scaling| scaling.maximum_concurrency()),
        tags: tags::user(&all),
    };
    Ok(Some(Found {
        id,
        physical: uuid.to_owned(),
        identity,
        health,
        inputs,
        outputs: Outputs::from([("id".to_owned(), Value::text(uuid))]),
        blockers: Default::default(),
    }))
}

/// <https://docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html> (`State`)
fn health(state: &str) -> Health {
    match state {
        "Deleting" => Health::Deleting,
        "Creating" | "Enabling" | "Disabling" | "Updating" => Health::Settling(state.to_lowercase()),
        _ => Health::Ready,
    }
}
