//! An alarm becomes a message in Slack and on SNS; so does all else that people should hear of.
//!
//! What comes in is read by `wharf-events`, what goes out is told by `wharf-notify`; this stands between them.

mod told;

use std::process::ExitCode;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use serde_json::{Value, json};
use wharf_events::{Arrival, Told};
use wharf_notify::{API, Https, News, SlackSettings, Teller, Ways};
use wharf_shell::batch::{Batch, Outcome};
use wharf_shell::metrics::Metrics;
use wharf_shell::{Environment, Fault, Function, Invocation, variable};

use crate::told::{Part, outcome};

/// The function's name, after that of its stack.
pub const NAME: &str = "on-alarm";

/// The ARN of the topic that people listen to, if there is one.
const ALERTS: &str = "WHARF_ALERTS";
/// Slack, as JSON.
const SLACK: &str = "WHARF_SLACK";
/// Where Slack's methods are, if elsewhere than at Slack.
const SLACK_API: &str = "WHARF_SLACK_API";

/// The function.
#[derive(Debug)]
pub struct OnAlarm {
    teller: Teller,
    stack: String,
    alerts: Option<String>,
}

/// All of the function's `main`.
pub async fn main() -> ExitCode {
    wharf_shell::serve(NAME, OnAlarm::build).await
}

impl OnAlarm {
    /// The function that tells by these ways.
    #[must_use]
    pub fn new(ways: &Ways) -> Self {
        Self { teller: Teller::of(ways), stack: ways.stack.clone(), alerts: ways.alerts.clone() }
    }

    /// The function as its environment wants it.
    ///
    /// # Errors
    /// A setting is missing, or cannot be read.
    pub fn build(environment: &Environment) -> Result<Self, Fault> {
        let ways = Ways {
            aws: environment.aws()?,
            stack: environment.required(variable::STACK)?.to_owned(),
            table: environment.required(variable::TABLE)?.to_owned(),
            alerts: environment.get(ALERTS).map(str::to_owned),
            slack: environment.json::<SlackSettings>(SLACK)?,
            api: environment.get(SLACK_API).unwrap_or(API).to_owned(),
            connector: SharedHttpConnector::new(Https::default()),
        };
        Ok(Self::new(&ways))
    }

    /// What becomes of what arrived with each of several messages.
    async fn tell(&self, messages: Vec<Vec<Arrival>>, invocation: &Invocation) -> Vec<Outcome> {
        let mut news: Vec<News> = Vec::new();
        let mut parts: Vec<Vec<Part>> = Vec::new();
        for arrivals in &messages {
            parts.push(arrivals.iter().map(|arrival| self.read(arrival, &mut news, invocation)).collect());
        }
        let verdicts = Box::pin(self.teller.tell(&news, invocation)).await;
        let outcomes: Vec<Outcome> = parts.into_iter().map(|parts| outcome(parts, &verdicts)).collect();
        let count = |test: fn(&Outcome) -> bool| outcomes.iter().filter(|outcome| test(outcome)).count();
        Metrics::new(&self.stack, NAME, invocation.now())
            .count("Told", count(|outcome| *outcome == Outcome::Done))
            .count("Ignored", count(|outcome| matches!(outcome, Outcome::Ignored(_))))
            .count("Failed", count(|outcome| matches!(outcome, Outcome::Failed(_))))
            .beside("request_id", invocation.request_id.as_str())
            .publish();
        outcomes
    }

    /// Reads one thing that arrived: what there is to tell of it goes to the news.
    fn read(&self, arrival: &Arrival, news: &mut Vec<News>, invocation: &Invocation) -> Part {
        // Whoever subscribes the queue to the topic for people must not make the function tell for ever.
        if arrival.topic.is_some() && arrival.topic == self.alerts {
            return Part::Ignored("this function told it itself".to_owned());
        }
        match wharf_events::tell(arrival, invocation.now()) {
            Err(error) => Part::Failed(wharf_shell::chain(&error)),
            Ok(Told::Nothing(why)) => Part::Ignored(why),
            Ok(Told::Notice(notice)) => {
                news.push(News { notice: *notice, only_if_open: false });
                Part::News(news.len() - 1)
            }
            Ok(Told::IfOpen(notice)) => {
                news.push(News { notice: *notice, only_if_open: true });
                Part::News(news.len() - 1)
            }
        }
    }
}

impl Function for OnAlarm {
    async fn handle(&self, payload: Value, invocation: &Invocation) -> Result<Value, Fault> {
        let Some(batch) = Batch::of(&payload) else {
            return self.directly(&payload, invocation).await;
        };
        let read = batch.records.iter().map(|record| record.body.as_deref().map(|body| (body, record.id.as_str())));
        let messages = read.map(|body| body.map_or_else(Vec::new, |(body, id)| Arrival::in_message(body, Some(id))));
        let outcomes = self.tell(messages.collect(), invocation).await;
        batch.answer(&outcomes)
    }
}

impl OnAlarm {
    /// An invocation that is no batch fails as a whole, and is tried again as a whole: what was told then stays told.
    async fn directly(&self, payload: &Value, invocation: &Invocation) -> Result<Value, Fault> {
        let outcomes = self.tell(vec![Arrival::with_payload(payload)], invocation).await;
        match outcomes.into_iter().next() {
            Some(Outcome::Done) => {
                tracing::info!(outcome = "done", "invocation done");
                Ok(json!({"outcome": "done"}))
            }
            Some(Outcome::Ignored(reason)) => {
                tracing::info!(outcome = "ignored", reason, "invocation ignored");
                Ok(json!({"outcome": "ignored", "reason": reason}))
            }
            Some(Outcome::Failed(reason)) => Err(Fault::new("NotTold", reason)),
            None => Err(Fault::new("NotTold", "nothing became of it")),
        }
    }
}

#[cfg(test)]
mod tests;
