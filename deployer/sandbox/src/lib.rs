//! An AWS account in memory: the operations that Wharf uses and the reads that outside judges make, with AWS's
//! rules, durations and weather.
//!
//! It shares no code with the deployer. Calls come in as HTTP, either at the SDK's own seam
//! ([`Sandbox::http_client`]) or on a port ([`serve`]), so that serialisation, pagination and error parsing are
//! those of the SDK, of the AWS CLI, of boto3 or of Terraform. What is not simulated answers `NotSimulated`,
//! never a silent success.
//!
//! ```
//! # async fn example() {
//! use wharf_sandbox::{Behaviour, Fate, Sandbox, Weather};
//!
//! let sandbox = Sandbox::builder().seed(7).weather(Weather::calm()).build();
//! let client = sandbox.http_client(); // for `aws_config::from_env().http_client(client)`
//! sandbox.on_call(|call| if call.n == 3 { Fate::LoseReply } else { Fate::Normal });
//! let elsewhere = sandbox.fork(); // the same world, going its own way
//! // No container runs here: what an image does is said, by its digest, its tag or its whole reference. Unsaid, it
//! // starts and serves 200 on every port of its task definition for ever.
//! sandbox.image_behaviour("v2", &Behaviour { exits: Some((1, 5)), prints: vec!["no database".into()], ..Behaviour::default() });
//! sandbox.edit("ec2.vpc", "vpc-0123", |attrs, tags| { tags.clear(); attrs["cidrBlock"] = "10.9.0.0/16".into(); }).ok();
//! assert!(elsewhere.inventory().is_empty());
//! # let _ = client;
//! # }
//! ```

mod account;
mod authorise;
mod client;
mod clock;
mod dispatch;
mod error;
mod input;
pub mod lambda;
mod principal;
mod record;
mod rng;
mod sandbox;
mod server;
mod services;
mod slack;
mod store;
#[cfg(test)]
mod testing;
mod weather;
mod wire;

pub use account::Quota;
pub use authorise::Policy;
pub use client::SandboxHttpClient;
pub use clock::{Clock, Pace, SimClock};
pub use error::SandboxError;
pub use record::{Body, CallRecord, Ending, Exchange};
pub use sandbox::{ACCOUNT, Builder, REGION, Sandbox};
pub use server::serve;
pub use services::deliver::Undelivered;
pub use services::ecs::Behaviour;
pub use services::sns::Published;
pub use slack::{Slack, SlackCall, SlackHttpClient, SlackMessage};
pub use store::{Resource, Tags};
pub use weather::{CallInfo, Fate, Weather};
