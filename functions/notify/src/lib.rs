//! A notice to Slack and SNS: told once on each way, in a thread for each subject, as fast as the channel takes it.

mod channel;
mod message;
mod people;
mod secret;
mod settings;
mod slack;
mod table;
mod teller;
#[cfg(test)]
mod testing;
mod text;
mod thread;

use aws_smithy_runtime_api::client::http::SharedHttpConnector;

pub use message::{Message, Series};
pub use people::Letter;
pub use secret::Secret;
pub use settings::{Mention, SlackSettings};
pub use slack::{API, Https};
pub use table::LEADING_KEY;
pub use teller::{News, Teller, Verdict};

use channel::Channel;
use people::People;
use secret::Vault;
use slack::Slack;
use table::Table;

/// What a [`Teller`] is made from.
#[derive(Clone, Debug)]
pub struct Ways {
    /// How AWS is reached.
    pub aws: aws_types::SdkConfig,
    /// The stack's name.
    pub stack: String,
    /// The stack's table.
    pub table: String,
    /// The ARN of the topic that people listen to, if there is one.
    pub alerts: Option<String>,
    /// Slack, if people have it.
    pub slack: Option<SlackSettings>,
    /// Where Slack's methods are: [`API`].
    pub api: String,
    /// What calls Slack: [`Https`].
    pub connector: SharedHttpConnector,
}

impl Teller {
    /// A teller that uses these ways. Nothing is called yet.
    #[must_use]
    pub fn of(ways: &Ways) -> Self {
        let table = Table::new(aws_sdk_dynamodb::Client::new(&ways.aws), &ways.table);
        let sns = || aws_sdk_sns::Client::new(&ways.aws);
        let people = ways.alerts.as_ref().map(|topic| People::new(sns(), topic, &ways.stack));
        let channel = ways.slack.as_ref().map(|settings| {
            let vault = Vault::new(aws_sdk_ssm::Client::new(&ways.aws), &settings.secret);
            let slack = Slack::new(ways.connector.clone(), &ways.api, vault, settings.channel.clone());
            Channel::new(slack, table.clone())
        });
        let mention = ways.slack.as_ref().and_then(|settings| settings.mention.clone());
        Self::new(table, people, channel, mention)
    }
}
