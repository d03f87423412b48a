//! `wharf rollback`: the image that a service ran before.

use clap::Args;

use super::context::Context;
use super::{Done, deploy};
use crate::operations::Wanted;
use crate::report::Stop;

/// Arguments of `rollback`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The service
    pub service: String,
}

/// Brings out the image that ran before the present one, and waits until it runs.
pub(super) async fn rollback(arguments: &Arguments, context: &Context<'_>) -> Result<Done, Stop> {
    let config = context.config()?;
    deploy::service(&config, &arguments.service)?;
    deploy::roll(context, &config, &arguments.service, Wanted::Before, "rollback").await
}
