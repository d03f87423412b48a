//! `wharf exec`: into a running task, by the plugin that AWS has for it.

use clap::Args;

use super::Done;
use super::context::Context;
use crate::operations::{Exec, short};
use crate::report::{Failure, Kind, Stop};
use crate::surroundings;

/// Arguments of `exec`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The service
    pub service: String,
    /// The task, by the beginning of its id; any that runs if not given
    #[arg(long, value_name = "ID")]
    pub task: Option<String>,
    /// The container; the service's own if not given
    #[arg(long, value_name = "NAME")]
    pub container: Option<String>,
    /// The command; a shell if not given
    #[arg(last = true)]
    pub command: Vec<String>,
}

const PLUGIN: &str = "session-manager-plugin";
const HOW_TO_GET_IT: &str =
    "https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html";

/// Opens the session and hands it over. The plugin is looked for first: without it a session would stand open.
pub(super) async fn exec(arguments: &Arguments, context: &Context<'_>) -> Result<Done, Stop> {
    let cannot = |error: &std::io::Error| Failure::new(Kind::Refused, format!("cannot start {PLUGIN}")).because(error);
    if !surroundings::is_installed(PLUGIN).map_err(|error| cannot(&error))? {
        let message = format!("{PLUGIN}, through which AWS lets one into a task, is not on the PATH");
        return Err(Failure::new(Kind::Refused, message)
            .hint(format!("AWS says how to get it: {HOW_TO_GET_IT}"))
            .into());
    }
    let (_, session) = context.operate(&arguments.service).await?;
    let wanted = Exec {
        service: &arguments.service,
        task: arguments.task.as_deref(),
        container: arguments.container.as_deref(),
        command: &arguments.command,
    };
    let opened = session.open_exec(&wanted).await.map_err(Failure::from)?;
    context.printer.note(format!("task {}, container {}", short(&opened.task), opened.container));
    let connection = session.connection();
    let endpoint = context.global.endpoint_url.clone().unwrap_or_else(|| {
        // <https://docs.aws.amazon.com/general/latest/gr/ecs-service.html>
        let domain = if connection.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
        format!("https://ecs.{}.{domain}", connection.region)
    });
    let arguments = opened.arguments(context.global.profile.as_deref(), &endpoint);
    let ended = surroundings::hand_over(PLUGIN, &arguments).map_err(|error| cannot(&error))?;
    match ended.code().map(u8::try_from) {
        Some(Ok(0)) => Ok(Done::Well),
        Some(Ok(code)) => Ok(Done::Exited(code)),
        _ => Ok(Done::Failed),
    }
}
